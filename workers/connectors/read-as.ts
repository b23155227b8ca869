// What of a source's settings decides how its answers are read.
import type { SourceSettings } from '#domain/source.ts';

/** Equal texts read equal answers equally: the operator's notes, and the name that schedules bear. */
export const readAsOf = ({ notes, name }: Pick<SourceSettings, 'notes' | 'name'>): string =>
	JSON.stringify([name, notes]);
