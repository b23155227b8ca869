// Subscriptions that the hub keeps at sources: which are due to be made or renewed, and which to end.
import type { SourceId } from '#domain/ids.ts';
import type { Queryable, Sql } from '../platform/postgres.ts';

export type DueSubscription = {
	readonly sourceId: SourceId;
	readonly key: string;
	/** null = none stands yet. */
	readonly subscription: string | null;
	readonly failures: number;
};

/**
 * Claims what is due for `leaseMs`, so that one worker at a time sees to a source: nothing stands, its
 * time runs out, it fell silent, or it said that it is out of order. `keys`: sources that may push.
 */
export const claimSubscriptions = (
	sql: Sql,
	keys: readonly string[],
	leaseMs: number
): Promise<DueSubscription[]> =>
	sql.begin(async (tx) => {
		await tx`
			insert into push_subscribing (source_id)
			select id from sources where enabled and kind = 'fhir-slots' and key = any(${[...keys]})
			on conflict do nothing`;
		const rows = await tx<DueSubscription[]>`
			update push_subscribing s
			set try_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
			from sources o left join push_links l on l.source_id = o.id
			where o.id = s.source_id and o.enabled and o.key = any(${[...keys]})
				and s.try_at <= clock_timestamp()
				and (s.subscription is null or s.renew_at <= clock_timestamp()
					or l.silent or l.status in ('error', 'off'))
			returning s.source_id as "sourceId", o.key, s.subscription, s.failures`;
		return [...rows];
	});

/** Y15: it stands; its heartbeats are waited for from now on. */
export const keepSubscription = async (
	sql: Sql,
	sourceId: SourceId,
	made: {
		readonly subscription: string;
		readonly heartbeatMs: number;
		readonly renewInMs: number;
	}
): Promise<void> => {
	await sql.begin(async (tx) => {
		await tx`
			update push_subscribing set subscription = ${made.subscription}, failures = 0,
				renew_at = clock_timestamp() + ${made.renewInMs} * interval '1 millisecond'
			where source_id = ${sourceId}`;
		await tx`
			insert into push_links (source_id, way, status, heartbeat_ms)
			values (${sourceId}, 'fhir', 'requested', ${made.heartbeatMs})
			on conflict (source_id) do update set heartbeat_ms = excluded.heartbeat_ms`;
	});
};

/** Tried in vain; `gone` = what stood there is there no more. */
export const postponeSubscription = async (
	sql: Queryable,
	sourceId: SourceId,
	then: { readonly retryInMs: number; readonly gone: boolean }
): Promise<void> => {
	await sql`
		update push_subscribing set failures = failures + 1,
			subscription = case when ${then.gone} then null else subscription end,
			try_at = clock_timestamp() + ${then.retryInMs} * interval '1 millisecond'
		where source_id = ${sourceId}`;
};

/** Subscriptions at sources that were switched off: theirs are to be ended. */
export const listAbandoned = async (
	sql: Queryable
): Promise<{ readonly sourceId: SourceId; readonly subscription: string }[]> => {
	const rows = await sql<{ sourceId: SourceId; subscription: string }[]>`
		select s.source_id as "sourceId", s.subscription
		from push_subscribing s join sources o on o.id = s.source_id
		where not o.enabled and s.subscription is not null limit 100`;
	return [...rows];
};

export const dropSubscription = async (sql: Sql, sourceId: SourceId): Promise<void> => {
	await sql.begin(async (tx) => {
		await tx`delete from push_subscribing where source_id = ${sourceId}`;
		await tx`delete from push_links where source_id = ${sourceId}`;
	});
};
