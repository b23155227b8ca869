// Every known bug that the suite must notice. After an incident another one is added here.
import { holdsAndPatients } from './holds-and-patients.ts';
import { lineAndMachine } from './line-and-machine.ts';
import { logAndViewers } from './log-and-viewers.ts';
import type { Mutant } from './mutant.ts';
import { sourcesAndPolls } from './sources-and-polls.ts';

export const mutants: readonly Mutant[] = [
	...holdsAndPatients,
	...lineAndMachine,
	...logAndViewers,
	...sourcesAndPolls
];
