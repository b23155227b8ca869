// An estimate and a pool as they are kept in the database: short, checked when read, and never a
// reason to stop polling: what cannot be read is a newcomer again.
import { z } from 'zod';
import { HOURS_OF_WEEK, MARKS_OF_DAY } from './local-time.ts';
import { flatPool, type Estimate, type Pool } from './estimate.ts';

const amount = z.number().min(0).max(1e12);
const hours = z.array(amount).length(HOURS_OF_WEEK);
const mark = z
	.int()
	.min(0)
	.max(MARKS_OF_DAY - 1);

const StoredEstimate = z.strictObject({
	events: amount.positive(),
	hours: amount.positive(),
	seen: hours,
	flat: hours,
	/** Most marks are nothing: pairs of mark and belief. */
	releases: z.array(z.tuple([mark, amount])).max(MARKS_OF_DAY),
	days: amount,
	hot: z.array(mark).max(MARKS_OF_DAY),
	owedFade: z.number().positive().max(1),
	gapMs: amount,
	cost: amount.positive().max(10)
});

const StoredPool = z.strictObject({
	perHour: amount.positive(),
	profile: z.array(amount.positive()).length(HOURS_OF_WEEK)
});
const StoredPools = z.record(z.string().max(60), StoredPool);

const short = (value: number): number => Number(value.toPrecision(5));

/** As JSON for the database. */
export const storeEstimate = (estimate: Estimate): z.input<typeof StoredEstimate> => ({
	...estimate,
	events: short(estimate.events),
	hours: short(estimate.hours),
	seen: estimate.seen.map(short),
	flat: estimate.flat.map(short),
	releases: estimate.releases.flatMap((value, at): [number, number][] =>
		value < 1e-4 ? [] : [[at, short(value)]]
	),
	hot: [...estimate.hot]
});

/** null = unreadable, or of another version. */
export const parseEstimate = (json: unknown): Estimate | null => {
	const parsed = StoredEstimate.safeParse(json);
	if (!parsed.success) return null;
	const releases = Array.from({ length: MARKS_OF_DAY }, () => 0);
	for (const [at, value] of parsed.data.releases) releases[at] = value;
	return { ...parsed.data, releases, hot: parsed.data.hot.toSorted((a, b) => a - b) };
};

/** The pool of a zone; that of all zones, or a flat one, when it has none. */
export const poolIn = (json: unknown, zone: string): Pool => {
	const parsed = StoredPools.safeParse(json);
	if (!parsed.success) return flatPool;
	return parsed.data[zone] ?? parsed.data[''] ?? flatPool;
};
