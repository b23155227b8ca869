// The epoch: positions in rooms mean something only within one. It is bound to the identity of the
// database, so that a restored copy gets a new one and every viewer takes a new snapshot.
import { randomBytes } from 'node:crypto';
import { must } from '#domain/result.ts';
import type { RoomName } from '#domain/room.ts';
import type { Queryable, Sql } from '../platform/postgres.ts';

const isDenied = (error: unknown): boolean =>
	error instanceof Error &&
	'code' in error &&
	// insufficient_privilege, undefined_function, feature_not_supported, object_not_in_…state
	['42501', '42883', '0A000', '55000'].includes(String(error.code));

/**
 * System identifier, timeline and database: a cluster made anew differs in the first, a restore
 * to a point in time or a failover in the second, a dump read into a new database in the third.
 * The timeline is the running one (pg_control_checkpoint tells the new one only after a
 * checkpoint). Where the server does not let us ask, only the database's number is left; then
 * whoever restores to a point in time runs `delete from epochs`.
 */
const readIdentity = async (sql: Sql): Promise<string> => {
	try {
		const [row] = await sql<{ identity: string }[]>`
			select concat_ws(':', (pg_control_system()).system_identifier,
				left(pg_walfile_name(pg_current_wal_lsn()), 8),
				(select oid from pg_database where datname = current_database())) as identity`;
		return must(row, 'identity').identity;
	} catch (error) {
		if (!isDenied(error)) throw error;
		const [row] = await sql<{ identity: string }[]>`
			select 'database:' || oid as identity from pg_database where datname = current_database()`;
		return must(row, 'identity').identity;
	}
};

const newEpoch = (): string => randomBytes(9).toString('base64url');

const startEpoch = async (sql: Queryable, identity: string): Promise<string> => {
	await sql`
		insert into epochs (epoch, database_identity) values (${newEpoch()}, ${identity})
		on conflict (one) do update
			set epoch = excluded.epoch, database_identity = excluded.database_identity,
				started_at = excluded.started_at
			where epochs.database_identity <> excluded.database_identity`;
	const [row] = await sql<{ epoch: string }[]>`select epoch from epochs`;
	return must(row, 'epoch').epoch;
};

/** The epoch of this database; begins a new one when the database is not the one it was. */
export const ensureEpoch = async (sql: Sql): Promise<string> => {
	const identity = await readIdentity(sql);
	const [row] = await sql<{ epoch: string; identity: string }[]>`
		select epoch, database_identity as identity from epochs`;
	return row?.identity === identity ? row.epoch : await startEpoch(sql, identity);
};

/** Begins a new epoch unless somebody else did since `seen`. For a log that went backwards. */
export const renewEpoch = async (sql: Sql, seen: string): Promise<string> => {
	await sql`update epochs set epoch = ${newEpoch()}, started_at = now() where epoch = ${seen}`;
	return await ensureEpoch(sql);
};

/** The epoch and the heads of rooms (0 = no entry yet), in one look. */
export const readEpochAndHeads = async (
	sql: Queryable,
	rooms: readonly RoomName[]
): Promise<{ epoch: string; heads: Map<RoomName, number> }> => {
	const rows = await sql<{ epoch: string; name: RoomName | null; seq: number }[]>`
		select e.epoch, r.name, r.seq
		from epochs e left join rooms r on r.name = any(${[...rooms]}::text[])`;
	const heads = new Map<RoomName, number>(rooms.map((room) => [room, 0]));
	for (const row of rows) if (row.name !== null) heads.set(row.name, row.seq);
	return { epoch: must(rows[0], 'epoch').epoch, heads };
};
