// Repeatable chance. The same seed and the same labels always give the same numbers, on every
// machine; a fork does not depend on how many numbers were drawn before it.
import { must } from '#domain/result.ts';

export type Random = {
	/** A number in [0, 1). */
	next: () => number;
	/** A whole number in [0, below). */
	int: (below: number) => number;
	chance: (probability: number) => boolean;
	pick: <T>(from: readonly T[]) => T;
	/** `count` different members in random order, fewer when there are not so many. */
	sample: <T>(from: readonly T[], count: number) => T[];
	/** How many events of a Poisson process happen when `mean` are expected. */
	poisson: (mean: number) => number;
	fork: (label: string) => Random;
};

/** FNV-1a, 32 bits. */
const hash = (text: string): number => {
	let value = 0x811c9dc5;
	for (let at = 0; at < text.length; at += 1) {
		value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
	}
	return value >>> 0;
};

/** Mulberry32: 32 bits of state, good enough for a simulated world. */
const generator = (start: number): (() => number) => {
	let state = start;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
};

/** Knuth's product for small means, a rounded normal for large ones. */
const poissonBy = (next: () => number, mean: number): number => {
	if (mean <= 0) return 0;
	if (mean > 60) {
		const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
		return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
	}
	const limit = Math.exp(-mean);
	let count = 0;
	for (let product = next(); product > limit; product *= next()) count += 1;
	return count;
};

/** Creates a source of repeatable chance for `seed`. */
export const createRandom = (seed: number | string): Random => {
	const next = generator(hash(`slotcast clinics ${seed}`));
	const int = (below: number): number => Math.floor(next() * below);
	return {
		next,
		int,
		chance: (probability) => next() < probability,
		pick: (from) => must(from[int(from.length)], 'a member to pick'),
		sample: (from, count) => {
			const left = [...from];
			const taken: (typeof left)[number][] = [];
			while (taken.length < count && left.length > 0)
				taken.push(...left.splice(int(left.length), 1));
			return taken;
		},
		poisson: (mean) => poissonBy(next, mean),
		fork: (label) => createRandom(`${seed}/${label}`)
	};
};
