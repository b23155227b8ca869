// A database for benchmarks: real, durable (fsync on), filled by plain SQL in a second.
import { createEmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { regions, specialties } from '#domain/codes.ts';
import { localRoom } from '#domain/room.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { migrate } from '#server/store/migrate.ts';

export type BenchDatabase = { url: string; pid: number; sql: Sql; close(): Promise<void> };

export const createBenchDatabase = async (durable = true): Promise<BenchDatabase> => {
	const server = await createEmbeddedPostgres({ durable });
	const sql = createPostgres(server.url, { max: 16, applicationName: 'bench' });
	await migrate(sql);
	return {
		url: server.url,
		pid: server.pid,
		sql,
		close: async () => {
			await sql.end({ timeout: 5 });
			await server.close();
		}
	};
};

export type WorldSize = {
	sources: number;
	schedules: number;
	slotsEach: number;
	rooms: number;
	roomsEach: number;
};

/** Rooms that exist: one specialty in all regions, then the next. */
const roomNames = (count: number): string[] =>
	specialties
		.flatMap((specialty) => regions.map((region) => localRoom(specialty.id, region.code)))
		.slice(0, count);

/**
 * `rooms` rooms; schedules spread over the sources, each in `roomsEach` of the rooms; free slots
 * from about now on. Slot ids run from 1, and neighbours belong to different schedules.
 */
export const fillWorld = async (sql: Sql, size: WorldSize): Promise<void> => {
	await sql`
		insert into sources
			(key, name, kind, url, min_interval_ms, fresh_for_ms, window_ms, booking, checked_at, valid_at)
		select 'bench-' || i, 'Bench', 'fhir-slots', 'http://127.0.0.1:1/fhir', 60000, 3600000,
			1209600000, 'fhir', now(), now()
		from generate_series(0, ${size.sources - 1}::int) i`;
	await sql`insert into rooms (name) select * from unnest(${roomNames(size.rooms)}::text[])`;
	await sql`
		insert into schedules (source_id, key, practitioner_name, organization_name, specialty_ids,
			regions, kinds, languages, zone, room_ids)
		select 1 + i % ${size.sources}::int, 's' || i, 'Practitioner ' || i, 'Bench', '{dermatology}', '{US-MT}', '{video}', '{en}',
			'America/Denver',
			array(select 1 + (i + k) % ${size.rooms}::int from generate_series(0, ${size.roomsEach - 1}::int) k order by 1)
		from generate_series(0, ${size.schedules - 1}::int) i`;
	await sql`
		insert into slots (source_id, schedule_id, key, starts_at, ends_at, status, capacity, remaining,
			source_slot_id)
		select s.source_id, s.id, s.key || '|' || i, now() + (i + 24) * interval '20 minutes',
			now() + (i + 25) * interval '20 minutes', 'free', 1, 1, s.key || '-' || i
		from generate_series(0, ${size.slotsEach - 1}::int) i cross join schedules s
		order by i, s.id`;
	await sql`analyze`;
};

/** Every slot free again, nobody's hold, an empty log. */
export const resetWorld = async (sql: Sql): Promise<void> => {
	await sql`truncate holds, requests, change_log cascade`;
	await sql`
		update slots set claim_fences = '{}', claim_untils = '{}', status = 'free', remaining = 1
		where cardinality(claim_fences) > 0 or status <> 'free'`;
	await sql`vacuum slots`;
	await sql`checkpoint`;
};
