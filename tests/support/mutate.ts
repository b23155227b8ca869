// Makes what a broken source may send out of what a healthy one sends.
import type { Random } from './random.ts';

const values: readonly unknown[] = [
	null,
	true,
	-1,
	1e308,
	0.5,
	'',
	'x'.repeat(300),
	'\u0000\ud800',
	'__proto__',
	[],
	[[]],
	[null],
	{},
	{ reference: 7 },
	'9999-99-99T99:99:99Z',
	'2026-02-29T00:00:00Z'
];

/** Changes one place of a JSON value, or one byte of its text. */
export const mutate = (random: Random, value: unknown): unknown => {
	if (random.chance(0.25) || typeof value !== 'object' || value === null)
		return random.pick(values);
	if (Array.isArray(value)) {
		const at = random.int(0, value.length);
		return value.toSpliced(at, random.int(0, 1), mutate(random, value[at]));
	}
	const names = Object.keys(value);
	const name = random.chance(0.1) || names.length === 0 ? '__proto__' : random.pick(names);
	const copy: Record<string, unknown> = { ...value };
	if (random.chance(0.2)) delete copy[name];
	else copy[name] = mutate(random, copy[name]);
	return copy;
};

/** Up to three bytes of a text changed, and now and then its end cut off. */
export const spoilBytes = (random: Random, text: string): Buffer => {
	const bytes = Buffer.from(text);
	for (let times = random.int(0, 3); times > 0 && bytes.length > 0; times -= 1) {
		bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
	}
	return bytes.subarray(0, random.chance(0.1) ? random.int(0, bytes.length) : bytes.length);
};
