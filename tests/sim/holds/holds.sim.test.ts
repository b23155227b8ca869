// The simulation of holds, bookings and the waiting list, as part of every test run: other lives each
// time (the seed is printed; TEST_SEED repeats them), and those that once broke something.
import { expect, test } from 'vitest';
import { playLife, simulate, textOf } from './simulate.ts';

const OPERATIONS = 20_000_000;
/** Lives in which something once broke, in the code or in the simulation itself. */
const ONCE_BROKEN = [1, 12, 481_103_896, 481_105_439];

const newSeed = (): number => {
	const wanted = Number(process.env['TEST_SEED']);
	return Number.isInteger(wanted) && wanted > 0 ? wanted : (Date.now() & 0x3fffffff) + 1;
};

test('[Z15] no promise is broken in 20,000,000 operations, and every race really happened', async () => {
	const seed = newSeed();
	process.stdout.write(`holds: seed ${seed}\n`);
	const figures = await simulate(seed, OPERATIONS);
	process.stdout.write(`holds: ${textOf(figures)}\n`);
	expect(figures.operations).toBeGreaterThanOrEqual(OPERATIONS);
	const never = Object.entries(figures.races).filter(([, count]) => count === 0);
	expect(never).toEqual([]);
}, 300_000);

test('[Z16] a life that once broke something is whole, and the same seed plays the same life', () => {
	for (const seed of ONCE_BROKEN) {
		const [once, again] = [playLife(seed), playLife(seed)];
		expect(once.races).toEqual(again.races);
		expect(once.operations).toBe(again.operations);
		expect(once.model.made).toEqual(again.model.made);
	}
});
