import { expect, test } from 'vitest';
import { shareBriefly } from '#server/scheduling/share-briefly.ts';

const createShared = (ask: (key: string) => Promise<string>) => {
	const asked: string[] = [];
	let nowMs = 0;
	const shared = shareBriefly(
		(key: string) => {
			asked.push(key);
			return ask(key);
		},
		{ keyOf: (key) => key, freshMs: 500, now: () => nowMs }
	);
	return { asked, shared, pass: (ms: number) => void (nowMs += ms) };
};

test('[B10] the same question is asked once while its answer is fresh', async () => {
	const { asked, shared, pass } = createShared((key) => Promise.resolve(`of ${key}`));
	expect(await Promise.all([shared('a'), shared('a'), shared('b')])).toEqual([
		'of a',
		'of a',
		'of b'
	]);
	pass(499);
	await shared('a');
	expect(asked).toEqual(['a', 'b']);
	pass(1);
	await shared('a');
	expect(asked).toEqual(['a', 'b', 'a']);
});

test('[B10] a failed answer serves only those who were waiting for it', async () => {
	let fails = true;
	const { asked, shared } = createShared(() =>
		fails ? Promise.reject(new Error('away')) : Promise.resolve('there')
	);
	await expect(Promise.all([shared('a'), shared('a')])).rejects.toThrow('away');
	fails = false;
	expect(await shared('a')).toBe('there');
	expect(asked).toEqual(['a', 'a']);
});

test('[B10] answers are kept for a bounded number of questions', async () => {
	const { asked, shared } = createShared((key) => Promise.resolve(key));
	for (let n = 0; n <= 500; n += 1) await shared(String(n));
	await shared('500');
	expect(asked).toHaveLength(501);
	await shared('0');
	expect(asked).toHaveLength(502);
});
