// How wishes of operators go from worker to worker (`source_drafts`, `rereads`): one worker at a time
// has one, for a while; one that went away is followed by another, once. An hour later all is forgotten.
import type { Queryable } from '../platform/postgres.ts';

const KEPT_MINUTES = 60;
/** A wish that took two workers with it will take a third. */
const MOST_TRIES = 2;

export type Taker = {
	/** Which process takes it, as an operator may look for it. */
	readonly worker: string;
	/** Longer than the work takes, ms: afterwards another may have it. */
	readonly leaseMs: number;
};

/** Wishes made before then are forgotten. */
export const forgottenBefore = (sql: Queryable) =>
	sql`clock_timestamp() - ${KEPT_MINUTES} * interval '1 minute'`;

/** Of a wish without an end: nobody has it, and somebody may. */
export const isFree = (sql: Queryable) => sql`tries < ${MOST_TRIES}
	and (taken_until is null or taken_until <= clock_timestamp())
	and made_at > ${forgottenBefore(sql)}`;

/** Of a wish without an end: every worker that had it went away. */
export const isLost = (sql: Queryable) => sql`tries >= ${MOST_TRIES}
	and taken_until <= clock_timestamp()`;

/** What taking one up sets. */
export const taken = (sql: Queryable, { worker, leaseMs }: Taker) => sql`tries = tries + 1,
	taken_by = ${worker}, taken_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;

/** What ends the work on one: whatever is wished next begins anew. */
export const letGo = (sql: Queryable) => sql`tries = 0, taken_by = null, taken_until = null`;

/** What ends the work on one as if that worker had never had it. */
export const givenBack = (sql: Queryable) => sql`tries = tries - 1, taken_by = null,
	taken_until = null`;

/** Who has it now; null = nobody. */
export const takenBy = (sql: Queryable) => sql`
	case when taken_until > clock_timestamp() then taken_by end`;
