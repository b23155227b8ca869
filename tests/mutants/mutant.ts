// What a mutant is: one known bug of this field, as a small replacement in one file, and the rule
// whose tests must notice it.

export type Mutant = {
	readonly name: string;
	/** What would go wrong for people if nobody noticed. */
	readonly why: string;
	readonly file: string;
	/** Stands exactly once in the file (M1). */
	readonly find: string;
	readonly replace: string;
	/** The vitest project of the tests. */
	readonly project: 'unit' | 'pg' | 'redis' | 'hub' | 'sim';
	readonly tests: readonly string[];
	/** Only tests whose title cites this rule are run. */
	readonly catcher: string;
};

/** How often the text to be replaced stands in the file. */
export const countOf = (text: string, mutant: Pick<Mutant, 'find'>): number =>
	text.split(mutant.find).length - 1;

/** The text with the bug in it. Throws when the replacement does not fit exactly once. */
export const mutate = (text: string, mutant: Mutant): string => {
	const count = countOf(text, mutant);
	if (count !== 1) throw new Error(`${mutant.name}: found ${count} times in ${mutant.file}`);
	// A function, because a text's `$&` would mean something.
	return text.replace(mutant.find, () => mutant.replace);
};
