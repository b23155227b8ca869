// National Provider Identifier: ten digits with a check digit (45 CFR 162.406; Luhn over the digits
// behind the prefix 80840 of its issuer). Pure.

const sumOf = (digits: string): number => {
	let sum = 0;
	for (let at = digits.length - 1, twice = false; at >= 0; at -= 1, twice = !twice) {
		const value = Number(digits[at]) * (twice ? 2 : 1);
		sum += value > 9 ? value - 9 : value;
	}
	return sum;
};

/** A number that can be an NPI: a typing error in any one digit is found. */
export const isNpi = (text: string): boolean =>
	/^\d{10}$/.test(text) && sumOf(`80840${text}`) % 10 === 0;
