// What sources push, in Postgres: each message once over all hubs, the numbers of a subscription, and
// an inbox of what is still to be acted upon.
import type { SourceId } from '#domain/ids.ts';
import type { PushedSlot } from '#domain/push/pushed-slot.ts';
import type { PushState, SubscriptionStatus } from '#domain/push/subscription.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';

export type PushWay = 'fhir' | 'webhook' | 'cal-com';

export type PushSource = { readonly id: SourceId; readonly key: string };

/** null = there is none, or it is switched off. */
export const findPushSource = async (sql: Queryable, key: string): Promise<PushSource | null> => {
	const [row] = await sql<PushSource[]>`
		select id, key from sources where key = ${key} and enabled`;
	return row ?? null;
};

/** What is left to do about a message. */
export type PushNews = {
	/** Changes that only a poll can find. */
	readonly changes: number;
	readonly slots: readonly PushedSlot[];
};

/** A message is remembered this long: well beyond the time in which its signature counts. */
const SEEN_FOR = '1 hour';

/** Y3: false = it was seen before, by whichever hub. */
const noteSeen = async (tx: Tx, sourceId: SourceId, id: Buffer): Promise<boolean> => {
	const rows = await tx`
		insert into push_seen (source_id, id, until)
		values (${sourceId}, ${id}, clock_timestamp() + ${SEEN_FOR}::text::interval)
		on conflict do nothing returning 1`;
	return rows.length === 1;
};

const keepNews = async (tx: Tx, sourceId: SourceId, news: PushNews): Promise<void> => {
	if (news.changes === 0 && news.slots.length === 0) return;
	await tx`
		insert into push_inbox (source_id, changes, slots)
		values (${sourceId}, ${news.changes}, ${JSON.stringify(news.slots)}::text::jsonb)`;
};

/** Y1: a signed message, kept with its effect in one transaction. false = seen before. */
export const recordWebhook = (
	sql: Sql,
	message: {
		readonly sourceId: SourceId;
		readonly way: PushWay;
		readonly id: Buffer;
		readonly news: PushNews;
	}
): Promise<boolean> =>
	sql.begin(async (tx) => {
		const { sourceId, way, id, news } = message;
		const isNew = await noteSeen(tx, sourceId, id);
		await tx`
			insert into push_links as l (source_id, way, repeated)
			values (${sourceId}, ${way}, ${isNew ? 0 : 1})
			on conflict (source_id) do update set
				heard_at = clock_timestamp(), repeated = l.repeated + ${isNew ? 0 : 1}`;
		if (isNew) await keepNews(tx, sourceId, news);
		return isNew;
	});

type LinkRow = {
	readonly subscription: string;
	readonly status: SubscriptionStatus;
	readonly last_event: number | null;
	readonly missing: readonly number[];
	readonly way: PushWay;
	readonly silent: boolean;
};

const stateOf = (row: LinkRow): PushState | null =>
	row.way === 'fhir' && row.subscription !== ''
		? {
				subscription: row.subscription,
				status: row.status,
				lastEvent: row.last_event,
				missing: row.missing
			}
		: null;

export type Counted = {
	readonly state: PushState;
	readonly lost: number;
	readonly repeated: number;
	readonly news: PushNews;
};

/**
 * Y1, Y8: a notification of a subscription. `hear` decides on the numbers as they stand, locked, and
 * everything is kept in one transaction.
 */
export const recordNotification = <T extends Counted>(
	sql: Sql,
	sourceId: SourceId,
	hear: (state: PushState | null) => T
): Promise<T & { readonly wasSilent: boolean }> =>
	sql.begin(async (tx) => {
		await tx`
			insert into push_links (source_id, way) values (${sourceId}, 'fhir')
			on conflict do nothing`;
		const [row] = await tx<LinkRow[]>`
			select way, subscription, status, last_event, missing, silent from push_links
			where source_id = ${sourceId} for update`;
		const heard = hear(row === undefined ? null : stateOf(row));
		const { state, lost, repeated } = heard;
		await tx`
			update push_links set way = 'fhir', subscription = ${state.subscription},
				status = ${state.status}, last_event = ${state.lastEvent},
				missing = ${[...state.missing]}, heard_at = clock_timestamp(), silent = false,
				lost = lost + ${lost}, repeated = repeated + ${repeated}
			where source_id = ${sourceId}`;
		// A source that tells again is believed again, as one that never failed to.
		const pushes = state.status === 'active';
		await tx`
			update poll_estimates set pushes = ${pushes}
			where source_id = ${sourceId} and pushes <> ${pushes}`;
		await keepNews(tx, sourceId, heard.news);
		return { ...heard, wasSilent: row?.silent === true };
	}) as Promise<T & { readonly wasSilent: boolean }>;

export type InboxSource = { readonly id: SourceId; readonly url: string };

/** Sources with something in the inbox that were not polled by anybody just now. */
export const listSignalled = async (sql: Queryable, limit: number): Promise<InboxSource[]> => {
	const rows = await sql<InboxSource[]>`
		select o.id, o.url from sources o
		where exists (select 1 from push_inbox i where i.source_id = o.id and i.slots = '[]')
			and (o.polling_until is null or o.polling_until <= clock_timestamp())
		limit ${limit}`;
	return [...rows];
};

/** Sources with slots that wait to be written: left behind by a hub that died. */
export const listPushed = async (
	sql: Queryable,
	within: { readonly afterMs: number; readonly limit: number }
): Promise<PushSource[]> => {
	const rows = await sql<PushSource[]>`
		select distinct o.id, o.key from push_inbox i join sources o on o.id = i.source_id
		where i.slots <> '[]' and i.at < clock_timestamp() - ${within.afterMs} * interval '1 millisecond'
		limit ${within.limit}`;
	return [...rows];
};

export type Signals = { readonly ids: readonly number[]; readonly changes: number };

/** What the inbox holds for a source that only a poll can answer. */
export const readSignals = async (sql: Queryable, sourceId: SourceId): Promise<Signals> => {
	const rows = await sql<{ id: number; changes: number }[]>`
		select id, changes from push_inbox where source_id = ${sourceId} and slots = '[]' limit 1000`;
	const changes = rows.reduce((sum, row) => sum + row.changes, 0);
	return { ids: rows.map(({ id }) => id), changes };
};

/**
 * Y11: signals are done with once they stand in the polling index. While a poll is under way they
 * stay: it may have begun to read before the change.
 */
export const dropSignals = async (
	sql: Queryable,
	sourceId: SourceId,
	{ ids }: Signals
): Promise<void> => {
	await sql`
		delete from push_inbox where id = any(${[...ids]}) and exists (
			select 1 from sources where id = ${sourceId}
				and (polling_until is null or polling_until <= clock_timestamp()))`;
};

export type HeardLink = {
	readonly sourceId: SourceId;
	readonly key: string;
	readonly heardAt: Instant;
	readonly heartbeatMs: number;
	readonly now: Instant;
};

/** Links of active subscriptions that promised heartbeats and are not known as silent. */
export const listPromising = async (sql: Queryable, limit: number): Promise<HeardLink[]> => {
	const rows = await sql<HeardLink[]>`
		select l.source_id as "sourceId", o.key, l.heard_at as "heardAt",
			l.heartbeat_ms as "heartbeatMs", clock_timestamp() as now
		from push_links l join sources o on o.id = l.source_id
		where l.heartbeat_ms is not null and not l.silent and l.way = 'fhir'
		order by l.heard_at limit ${limit}`;
	return [...rows];
};

/** Y10: from now on it is polled as if it never pushed, and once at once. false = it spoke meanwhile. */
export const markSilent = (sql: Sql, { sourceId, heardAt }: HeardLink): Promise<boolean> =>
	sql.begin(async (tx) => {
		const rows = await tx`
			update push_links set silent = true
			where source_id = ${sourceId} and not silent
				and date_trunc('milliseconds', heard_at) <= ${heardAt} returning 1`;
		if (rows.length === 0) return false;
		await tx`update poll_estimates set pushes = false where source_id = ${sourceId}`;
		await tx`insert into push_inbox (source_id, changes) values (${sourceId}, 1)`;
		return true;
	}) as Promise<boolean>;

/** Ids that can no longer be replayed are forgotten. */
export const forgetSeen = async (sql: Queryable): Promise<number> => {
	const rows = await sql`delete from push_seen where until < clock_timestamp() returning 1`;
	return rows.length;
};
