// Chance with a seed: the same seed gives the same test; a failing test prints its seed.
import { onTestFailed } from 'vitest';

export type Random = {
	seed: number;
	/** In [0, 1). */
	next: () => number;
	/** A whole number in [from, to], both included. */
	int: (from: number, to: number) => number;
	chance: (probability: number) => boolean;
	pick: <T>(from: readonly T[]) => T;
	shuffle: <T>(from: readonly T[]) => T[];
};

/** mulberry32: 32 bits of state, good enough to choose test cases. */
export const randomFrom = (seed: number): Random => {
	let state = seed >>> 0;
	const next = (): number => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
	const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
	const pick = <T>(from: readonly T[]): T => {
		if (from.length === 0) throw new Error('nothing to pick from');
		return from[int(0, from.length - 1)] as T;
	};
	const shuffle = <T>(from: readonly T[]): T[] => {
		const left = [...from];
		return from.map(() => left.splice(int(0, left.length - 1), 1)[0] as T);
	};
	return { seed, next, int, pick, shuffle, chance: (probability) => next() < probability };
};

/** A new seed each run unless TEST_SEED is set; called inside a test, which prints it on failure. */
export const seededRandom = (): Random => {
	const wanted = Number(process.env['TEST_SEED']);
	const seed = Number.isInteger(wanted) && wanted > 0 ? wanted : (Date.now() & 0x7fffffff) + 1;
	onTestFailed(() => {
		process.stderr.write(`seed ${seed} (run again with TEST_SEED=${seed})\n`);
	});
	return randomFrom(seed);
};
