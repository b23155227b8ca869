// Names compared however they are typed. Pure.

/** Letters and digits only, without accents and case: `José Núñez-Ortiz` → `josenunezortiz`. */
export const lettersOf = (text: string): string =>
	text
		.normalize('NFKD')
		.replaceAll(/[^\p{L}\p{N}]/gu, '')
		.toLowerCase();
