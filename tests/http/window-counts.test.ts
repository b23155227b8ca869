import { expect, test } from 'vitest';
import { createWindowCounts } from '#server/http/window-counts.ts';

const createCounts = () => {
	let nowMs = 0;
	const counts = createWindowCounts(1_000, () => nowMs);
	return { ...counts, pass: (ms: number) => void (nowMs += ms) };
};

test('[X8] a window begins with the first of a key, and a new one when it has ended', () => {
	const { take, pass } = createCounts();
	expect(take('a')).toEqual({ count: 1, endsInMs: 1_000 });
	pass(400);
	expect([take('a').count, take('b').count]).toEqual([2, 1]);
	pass(599);
	expect(take('a')).toEqual({ count: 3, endsInMs: 1 });
	pass(1);
	expect(take('a')).toEqual({ count: 1, endsInMs: 1_000 });
	expect(take('b')).toEqual({ count: 2, endsInMs: 400 });
});

test('[X8] what is kept of callers follows those within their window', () => {
	const { take, pass, size } = createCounts();
	for (let n = 0; n < 500; n += 1) take(`first ${n}`);
	pass(1_000);
	for (let n = 0; n < 250; n += 1) take(`second ${n}`);
	expect(size()).toBe(250);
});
