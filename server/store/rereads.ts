// Kept answers that an operator asked to be read again: what is wished, who works on it, what came of
// it. An hour later it is forgotten.
import type { SourceId } from '#domain/ids.ts';
import type {
	KeptAnswer,
	Reread,
	RereadFailure,
	RereadFound,
	RereadId,
	RereadStage
} from '#domain/reread.ts';
import type { Operator } from '#domain/source-desk.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable } from '../platform/postgres.ts';
import { forgottenBefore, isFree, isLost, letGo, taken, takenBy, type Taker } from './wishes.ts';

/** Forgets those that are too old; how many. */
export const dropOldRereads = async (sql: Queryable): Promise<number> => {
	const { count } = await sql`
		delete from rereads where made_at < ${forgottenBefore(sql)}`;
	return count;
};

/** The answers that are kept of a source, the newest first. */
export const listKeptAnswers = (sql: Queryable, sourceId: SourceId): Promise<KeptAnswer[]> =>
	sql<KeptAnswer[]>`
		select gen, asked_at as "askedAt", outcome, plain_bytes as bytes
		from raw_answers where source_id = ${sourceId} order by gen desc`;

/** false = no such answer is kept. */
export const insertReread = async (
	sql: Queryable,
	wish: { readonly id: RereadId; readonly sourceId: SourceId; readonly gen: number } & {
		readonly by: Operator;
	}
): Promise<boolean> => {
	await dropOldRereads(sql);
	const { id, sourceId, gen, by } = wish;
	const { count } = await sql`
		insert into rereads (id, source_id, gen, stage, wished_by)
		select ${id}, source_id, gen, 'reading', ${by} from raw_answers
		where source_id = ${sourceId} and gen = ${gen}`;
	return count === 1;
};

type RereadRow = {
	readonly name: string;
	readonly stage: RereadStage;
	readonly why: RereadFailure | null;
	readonly found: RereadFound | null;
	readonly changes: number | null;
	readonly isNewest: boolean;
	readonly ageMs: number;
	readonly worker: string | null;
	readonly gen: number;
	readonly askedAt: Instant | null;
	readonly outcome: string | null;
	readonly bytes: number | null;
};

/** null = there is none, or it was forgotten. */
export const readReread = async (
	sql: Queryable,
	{ key, id }: { readonly key: string; readonly id: RereadId }
): Promise<Reread | null> => {
	const [row] = await sql<RereadRow[]>`
		select s.name, r.stage, r.why, r.found, r.changes, s.committed_gen <= r.gen as "isNewest",
			(extract(epoch from clock_timestamp() - r.wished_at) * 1000)::float8 as "ageMs",
			${takenBy(sql)} as worker,
			r.gen, a.asked_at as "askedAt", a.outcome, a.plain_bytes as bytes
		from rereads r
		join sources s on s.id = r.source_id and s.key = ${key} and s.removed_at is null
		left join raw_answers a on a.source_id = r.source_id and a.gen = r.gen
		where r.id = ${id} and r.made_at > ${forgottenBefore(sql)}`;
	if (row === undefined) return null;
	const { gen, askedAt, outcome, bytes, ...rest } = row;
	const isKept = askedAt !== null && outcome !== null && bytes !== null;
	return { id, ...rest, answer: isKept ? { gen, askedAt, outcome, bytes } : null };
};

/** The operator confirmed what was read; a second time, or too early, changes nothing. */
export const wishToApply = async (
	sql: Queryable,
	{ key, id, by }: { readonly key: string; readonly id: RereadId; readonly by: Operator }
): Promise<void> => {
	await sql`
		update rereads r set stage = 'applying', wished_by = ${by},
			wished_at = clock_timestamp(), ${letGo(sql)}
		from sources s
		where r.id = ${id} and r.stage = 'read' and s.id = r.source_id and s.key = ${key}
			and s.removed_at is null`;
};

export type ClaimedReread = {
	readonly id: RereadId;
	readonly sourceId: SourceId;
	readonly key: string;
	readonly gen: number;
	readonly stage: 'reading' | 'applying';
	readonly by: Operator;
	/** A worker had it before and went away. */
	readonly isAgain: boolean;
};

/** Those whose workers went away each time. */
const failLost = async (sql: Queryable): Promise<void> => {
	await sql`
		update rereads set stage = 'failed', ${letGo(sql)},
			why = case when stage = 'applying' then 'unsure' else 'broken' end
		where stage in ('reading', 'applying') and ${isLost(sql)}`;
};

/** The next one that waits; null = none does. */
export const claimReread = async (sql: Queryable, taker: Taker): Promise<ClaimedReread | null> => {
	await failLost(sql);
	const [row] = await sql<ClaimedReread[]>`
		update rereads r set ${taken(sql, taker)}
		from sources s
		where s.id = r.source_id and r.id = (
			select id from rereads
			where stage in ('reading', 'applying') and ${isFree(sql)}
			order by made_at limit 1 for update skip locked)
		returning r.id, r.source_id as "sourceId", s.key, r.gen, r.stage, r.wished_by as by,
			r.tries > 1 as "isAgain"`;
	return row ?? null;
};

export type RereadOutcome =
	| { readonly stage: 'read'; readonly found: RereadFound }
	| { readonly stage: 'applied'; readonly changes: number }
	| { readonly stage: 'failed'; readonly why: RereadFailure };

/** What came of it; one that another worker has ended meanwhile stays as it is. */
export const finishReread = async (
	sql: Queryable,
	{ id, stage }: Pick<ClaimedReread, 'id' | 'stage'>,
	outcome: RereadOutcome
): Promise<void> => {
	const found = outcome.stage === 'read' ? JSON.stringify(outcome.found) : null;
	await sql`
		update rereads set stage = ${outcome.stage}, ${letGo(sql)},
			found = coalesce(${found}::text::jsonb, found),
			changes = ${outcome.stage === 'applied' ? outcome.changes : null}::integer,
			why = ${outcome.stage === 'failed' ? outcome.why : null}
		where id = ${id} and stage = ${stage}`;
};
