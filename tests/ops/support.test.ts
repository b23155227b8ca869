import { expect, test } from 'vitest';
import { createFakeClock } from '../support/clock.ts';
import { randomFrom, seededRandom } from '../support/random.ts';
import { until } from '../support/until.ts';

test('[O10] the fake clock stands still until it is moved', () => {
	const clock = createFakeClock(1_000);
	expect([clock.now(), clock.now()]).toEqual([1_000, 1_000]);
	clock.advance(500);
	expect(clock.now()).toBe(1_500);
	clock.set(9);
	expect(clock.now()).toBe(9);
});

test('[O10] the same seed gives the same chance', () => {
	const draw = (seed: number) => {
		const random = randomFrom(seed);
		return [random.next(), random.int(1, 6), random.pick(['a', 'b']), random.shuffle([1, 2, 3])];
	};
	expect(draw(7)).toEqual(draw(7));
	expect(draw(7)).not.toEqual(draw(8));
});

test('[O10] chance stays in its bounds and reaches them', () => {
	const random = seededRandom();
	const throws = Array.from({ length: 1_000 }, () => random.int(1, 6));
	expect([...new Set(throws)].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
	expect(random.shuffle([1, 2, 3, 4]).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
});

test('[O10] waiting ends with what was found, or with the last error', async () => {
	let asked = 0;
	expect(await until(() => (asked += 1) === 3 && 'there')).toBe('there');
	const failing = until(
		() => {
			throw new Error('not yet');
		},
		{ timeoutMs: 1, what: 'the impossible' }
	);
	await expect(failing).rejects.toThrow('not true after 1 ms: the impossible');
});
