// A multiset of strings that keeps only 53-bit hashes and counts: a Set of 50,000 natural keys
// costs several MB per source, this one 1.5 MB. A collision makes a key look repeated, which only
// leads to a full read: never to a wrong answer.

export type CountTable = {
	/** Returns how often the string is held now. */
	readonly add: (text: string) => number;
	readonly drop: (text: string) => void;
	readonly count: (text: string) => number;
	/** Strings held, each counted once. */
	readonly distinct: () => number;
	readonly bytes: () => number;
};

/** Never 0, which marks an empty cell. */
const hashOf = (text: string): number => {
	let a = 0x811c9dc5;
	let b = 0x9e3779b9;
	for (let at = 0; at < text.length; at += 1) {
		const code = text.charCodeAt(at);
		a = Math.imul(a ^ code, 0x01000193);
		b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
	}
	return ((a ^ (a >>> 15)) >>> 0) * 0x20_0000 + ((b ^ (b >>> 16)) >>> 11) || 1;
};

type Cells = { readonly size: number; readonly hashes: Float64Array; readonly counts: Uint32Array };

const makeCells = (size: number): Cells => ({
	size,
	hashes: new Float64Array(size),
	counts: new Uint32Array(size)
});

/** The cell of `hash`, or the empty cell where it belongs. Sizes are powers of two. */
const findCell = ({ size, hashes }: Cells, hash: number): number => {
	let at = Math.floor(hash / 0x20_0000) & (size - 1);
	while (hashes[at] !== 0 && hashes[at] !== hash) at = (at + 1) & (size - 1);
	return at;
};

const grown = (old: Cells): Cells => {
	const cells = makeCells(old.size * 2);
	for (let at = 0; at < old.size; at += 1) {
		const count = old.counts[at] ?? 0;
		if (count === 0) continue;
		const into = findCell(cells, old.hashes[at] ?? 0);
		cells.hashes[into] = old.hashes[at] ?? 0;
		cells.counts[into] = count;
	}
	return cells;
};

/** Creates an empty table for about `expected` strings; grows when needed. */
export const createCountTable = (expected: number): CountTable => {
	let cells = makeCells(1 << Math.max(4, Math.ceil(Math.log2(expected * 2 + 1))));
	let used = 0;
	let distinct = 0;
	return {
		add: (text) => {
			if (used * 4 > cells.size * 3) {
				cells = grown(cells);
				used = distinct;
			}
			const hash = hashOf(text);
			const at = findCell(cells, hash);
			if (cells.hashes[at] === 0) used += 1;
			cells.hashes[at] = hash;
			const count = (cells.counts[at] ?? 0) + 1;
			cells.counts[at] = count;
			if (count === 1) distinct += 1;
			return count;
		},
		drop: (text) => {
			const at = findCell(cells, hashOf(text));
			const count = cells.counts[at] ?? 0;
			if (count === 0) return;
			cells.counts[at] = count - 1;
			if (count === 1) distinct -= 1;
		},
		count: (text) => cells.counts[findCell(cells, hashOf(text))] ?? 0,
		distinct: () => distinct,
		bytes: () => cells.size * 12
	};
};
