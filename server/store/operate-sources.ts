// What operators change about sources, each in one transaction with its row in the audit. Workers
// find the change in Postgres within seconds: nothing has to be restarted.
import type { SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { Operator, RemovedSource, WishedSource } from '#domain/source-desk.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import type { SecretCipher } from '../platform/secret-cipher.ts';
import { appendAudit, type AuditAction } from './audit.ts';
import { deleteSourceIn } from './delete-source.ts';
import { CONNECTOR_SECRET, saveSourceSecret } from './source-secrets.ts';
import { upsertSource } from './sources.ts';

const note = (tx: Tx, by: Operator, action: AuditAction, key: string): Promise<void> =>
	appendAudit(tx, by, action, [`source:${key}`]);

/** One that was not removed. */
export const findSource = async (
	sql: Queryable,
	key: string
): Promise<{ id: SourceId; name: string } | null> => {
	const [row] = await sql<{ id: SourceId; name: string }[]>`
		select id, name from sources where key = ${key} and removed_at is null`;
	return row ?? null;
};

/** The id of a source that was not removed. */
export const findSourceId = async (sql: Queryable, key: string): Promise<SourceId | null> =>
	(await findSource(sql, key))?.id ?? null;

export const isSourceKnown = async (sql: Queryable, key: string): Promise<boolean> =>
	(await findSource(sql, key)) !== null;

/**
 * Adds a source, due at once; one that was removed comes back under its key. With `replaces` the
 * settings of a known one are changed, and a secret that is not given stays.
 */
export const addSourceIn = async (
	tx: Tx,
	cipher: SecretCipher,
	{ settings, secret, by, replaces }: WishedSource & { by: Operator; replaces: boolean }
): Promise<Result<SourceId, 'source_exists'>> => {
	const known = await findSource(tx, settings.key);
	if (known !== null && !replaces) return refuse('source_exists');
	const sourceId = await upsertSource(tx, settings);
	// However long a silent source was to be left alone: what was mended is tried now.
	await tx`update sources set next_poll_at = clock_timestamp() where id = ${sourceId}`;
	await note(tx, by, known === null ? 'source_added' : 'source_changed', settings.key);
	if (secret !== null) {
		await saveSourceSecret(tx, cipher, { sourceId, name: CONNECTOR_SECRET, secret }, by);
	}
	return ok(sourceId);
};

/** A kept answer was read again and committed. */
export const noteReplay = (tx: Tx, by: Operator, key: string): Promise<void> =>
	note(tx, by, 'source_replayed', key);

/** E7: no poll begins, and one under way may not commit; its slots age as those of any source. */
export const pauseSource = (
	sql: Sql,
	{ key, because, by }: { key: string; because: string; by: Operator }
): Promise<Result<null, 'source_unknown'>> =>
	sql.begin(async (tx) => {
		const { count } = await tx`
			update sources set enabled = false, poll_gen = poll_gen + 1, polling_until = null,
				paused_at = coalesce(paused_at, clock_timestamp()), paused_because = ${because}
			where key = ${key} and removed_at is null`;
		if (count === 0) return refuse('source_unknown');
		await note(tx, by, 'source_paused', key);
		return ok(null);
	});

/** Due at once. One that was not paused is simply due. */
export const resumeSource = (
	sql: Sql,
	{ key, by }: { key: string; by: Operator }
): Promise<Result<null, 'source_unknown'>> =>
	sql.begin(async (tx) => {
		const { count } = await tx`
			update sources set enabled = true, paused_at = null, paused_because = null,
				next_poll_at = clock_timestamp()
			where key = ${key} and removed_at is null`;
		if (count === 0) return refuse('source_unknown');
		await note(tx, by, 'source_resumed', key);
		return ok(null);
	});

const weigh = async (sql: Queryable, id: SourceId): Promise<RemovedSource> => {
	const [row] = await sql<RemovedSource[]>`
		select
			(select count(*) from bookings where source_id = ${id}
				and (shown_state in ('confirming', 'unconfirmed', 'cancelling')
					or (state in ('booked', 'handed_over') and ends_at > clock_timestamp()))) as visits,
			(select count(*) from holds h join slots s on s.id = h.slot_id
				where s.source_id = ${id} and h.state = 'held'
					and h.expires_at > clock_timestamp()) as holds`;
	return row ?? { visits: 0, holds: 0 };
};

/** What a removal would touch. */
export const weighSource = async (
	sql: Queryable,
	key: string
): Promise<Result<RemovedSource & { name: string }, 'source_unknown'>> => {
	const known = await findSource(sql, key);
	if (known === null) return refuse('source_unknown');
	return ok({ name: known.name, ...(await weigh(sql, known.id)) });
};

/**
 * E8: away from every board at once. The secrets go too, unless a visit is still to be kept,
 * changed or cancelled there: then the upkeep drops them later (dropIdleSources).
 */
export const removeSource = (
	sql: Sql,
	{ key, by }: { key: string; by: Operator }
): Promise<Result<RemovedSource & { readonly entries: readonly RoomEntry[] }, 'source_unknown'>> =>
	sql.begin(async (tx) => {
		const known = await findSource(tx, key);
		if (known === null) return refuse('source_unknown');
		const touched = await weigh(tx, known.id);
		await note(tx, by, 'source_removed', key);
		const entries = await deleteSourceIn(tx, known.id);
		await tx`delete from raw_answers where source_id = ${known.id}`;
		if (touched.visits === 0) await tx`delete from source_secrets where source_id = ${known.id}`;
		return ok({ ...touched, entries });
	});

/** Removed sources that nobody needs any more: their rows and secrets go. How many rows went. */
export const dropIdleSources = async (sql: Queryable): Promise<number> => {
	await sql`
		delete from source_secrets x using sources s
		where s.id = x.source_id and s.removed_at is not null and not exists (
			select 1 from bookings b where b.source_id = s.id
				and (b.shown_state in ('confirming', 'unconfirmed', 'cancelling')
					or (b.state in ('booked', 'handed_over') and b.ends_at > clock_timestamp())))`;
	const { count } = await sql`
		delete from sources s
		where s.removed_at < clock_timestamp() - interval '1 day'
			and not exists (select 1 from bookings b where b.source_id = s.id)
			and not exists (
				select 1 from holds h join slots t on t.id = h.slot_id
				where t.source_id = s.id and h.state = 'held')`;
	return count;
};
