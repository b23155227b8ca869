// The list of known bugs against the code: no mutant may grow stale unnoticed.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countOf, mutate } from './mutant.ts';
import { mutants } from './mutants.ts';

const read = (path: string): string => readFileSync(path, 'utf8');

test("[M1] every mutant's text stands exactly once in the code", () => {
	expect(mutants.length).toBeGreaterThanOrEqual(14);
	const stale = mutants
		.map((mutant) => ({ mutant, count: countOf(read(mutant.file), mutant) }))
		.filter(({ count }) => count !== 1)
		.map(({ mutant, count }) => `${mutant.name}: ${count} times in ${mutant.file}`);
	expect(stale).toEqual([]);
	expect(mutants.filter(({ find, replace }) => find === replace)).toEqual([]);
});

test('[M1] every mutant has its own name, and a test file that cites its catcher', () => {
	const names = mutants.map(({ name }) => name);
	expect(new Set(names).size).toBe(names.length);
	const blind = mutants.filter(
		({ tests, catcher }) =>
			!tests.every((path) => existsSync(path) && read(path).includes(`[${catcher}]`))
	);
	expect(blind.map(({ name }) => name)).toEqual([]);
});

test('[M1] a replacement that does not fit exactly once is refused', () => {
	const [mutant] = mutants;
	if (mutant === undefined) throw new Error('no mutant');
	expect(mutate(`a ${mutant.find} b`, mutant)).toBe(`a ${mutant.replace} b`);
	expect(() => mutate('nothing of it', mutant)).toThrow('found 0 times');
	expect(() => mutate(`${mutant.find} ${mutant.find}`, mutant)).toThrow('found 2 times');
});
