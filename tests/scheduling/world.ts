// A database with a source, its schedules, rooms and slots, made directly in tables: what the use
// cases start from. Times are relative to the database's clock.
import { randomBytes, randomUUID } from 'node:crypto';
import type { BoardQuery } from '#domain/board.ts';
import type { ConfirmBooking } from '#domain/commands.ts';
import { DeviceKey, RequestId, RoomId, ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import type { HoldId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import type { SlotStatus } from '#domain/slot.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { systemClock } from '#server/platform/clock.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { createHubApi, type HubApiDeps } from '#server/scheduling/hub-api.ts';
import { createSourceDesk } from '#server/scheduling/source-desk.ts';
import { createTestDatabase } from '../support/database.ts';
import { mustClose } from '../support/leaks.ts';

export const makeDevice = (): DeviceKey => DeviceKey.parse(randomBytes(32).toString('hex'));
export const makeRequest = (): RequestId => RequestId.parse(randomUUID());

export const makeQuery = (over: Partial<BoardQuery> = {}): BoardQuery => ({
	specialty: 'dermatology',
	region: 'US-MT',
	kinds: [],
	plan: null,
	planOnly: false,
	dayPart: 'any',
	language: null,
	zone: 'America/Denver',
	scheduleId: null,
	...over
});

export const makePatient = (over: Partial<ConfirmBooking['patient']> = {}) => ({
	givenName: 'Rosa',
	familyName: 'Martínez',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0100',
	email: 'rosa@example.org',
	reason: 'a mole that changed',
	planId: null,
	forWhom: 'me' as const,
	...over
});

export const makeConfirm = (
	holdId: HoldId,
	over: Partial<ConfirmBooking> = {}
): ConfirmBooking => ({
	holdId,
	requestId: makeRequest(),
	kind: 'video',
	patient: makePatient(),
	...over
});

export type SourceOver = {
	booking?: 'fhir' | 'link' | 'phone';
	checkedAgoMs?: number | null;
	freshForMs?: number;
	outcome?: string;
	zone?: string;
};

export type ScheduleOver = {
	sourceId?: SourceId;
	name?: string;
	regions?: string[];
	kinds?: string[];
	languages?: string[];
	planIds?: string[] | null;
	zone?: string;
	phone?: string | null;
	rooms?: string[];
	specialtyIds?: string[];
};

export type SlotOver = {
	scheduleId?: ScheduleId;
	/** From now, ms. */
	inMs?: number;
	minutes?: number;
	status?: SlotStatus;
	capacity?: number;
	remaining?: number;
	bookUrl?: string | null;
	bookPhone?: string | null;
	service?: string;
};

const createBuilders = (sql: Sql) => {
	let made = 0;
	const next = (): number => (made += 1);

	const addSource = async (over: SourceOver = {}): Promise<SourceId> => {
		const ago = over.checkedAgoMs === undefined ? 1_000 : over.checkedAgoMs;
		const [row] = await sql<{ id: number }[]>`
			insert into sources (key, name, kind, url, notes, min_interval_ms, fresh_for_ms, window_ms,
				booking, outcome, checked_at)
			values (${`source-${next()}`}, 'Big Sky Clinic', 'fhir-slots', 'https://clinic.example/fhir',
				${sql.json(over.zone === undefined ? {} : { zone: over.zone })}, 60000,
				${over.freshForMs ?? 300_000}, 1209600000, ${over.booking ?? 'fhir'},
				${over.outcome ?? 'complete'},
				clock_timestamp() - ${ago}::float8 * interval '1 millisecond')
			returning id`;
		return SourceId.parse(must(row).id);
	};

	const addRoom = async (name: string): Promise<RoomId> => {
		const [row] = await sql<{ id: number }[]>`
			insert into rooms (name) values (${name})
			on conflict (name) do update set name = excluded.name returning id`;
		return RoomId.parse(must(row).id);
	};

	const addSchedule = async (sourceId: SourceId, over: ScheduleOver = {}): Promise<ScheduleId> => {
		const rooms: RoomId[] = [];
		for (const name of over.rooms ?? ['dermatology:us-mt']) rooms.push(await addRoom(name));
		const [row] = await sql<{ id: number }[]>`
			insert into schedules (source_id, key, practitioner_name, organization_name,
				specialty_ids, regions, kinds, languages, plan_ids, zone, phone, room_ids)
			values (${sourceId}, ${`schedule-${next()}`}, ${over.name ?? 'Dr. Ana Reyes'},
				'Big Sky Clinic', ${over.specialtyIds ?? ['dermatology']},
				${over.regions ?? ['US-MT']}, ${over.kinds ?? ['video']}, ${over.languages ?? ['en']},
				${over.planIds ?? null}, ${over.zone ?? 'America/Denver'},
				${over.phone === undefined ? '+1 406 555 0199' : over.phone},
				${rooms.toSorted((a, b) => a - b)})
			returning id`;
		return ScheduleId.parse(must(row).id);
	};

	const addSlot = async (scheduleId: ScheduleId, over: SlotOver = {}): Promise<SlotId> => {
		const nr = next();
		const status = over.status ?? 'free';
		const capacity = over.capacity ?? 1;
		const [row] = await sql<{ id: number }[]>`
			insert into slots (source_id, schedule_id, key, service, starts_at, ends_at, status,
				capacity, remaining, source_slot_id, book_url, book_phone)
			select c.source_id, c.id, ${`slot-${nr}`}, ${over.service ?? ''}, t.at,
				t.at + ${over.minutes ?? 20} * interval '1 minute', ${status}, ${capacity},
				${over.remaining ?? (status === 'free' ? capacity : 0)}, ${`s-${nr}`},
				${over.bookUrl ?? null}, ${over.bookPhone ?? null}
			from schedules c, (select date_trunc('minute', clock_timestamp())
				+ ${over.inMs ?? 24 * HOUR_MS + nr * 30 * MINUTE_MS}::float8 * interval '1 millisecond'
				as at) t
			where c.id = ${scheduleId}
			returning id`;
		return SlotId.parse(must(row).id);
	};
	return { addSource, addRoom, addSchedule, addSlot };
};

export const phi = createPhiCipher(new Map([['k1', Buffer.alloc(32, 7)]]));

const keptSecrets = createSecretCipher(new Map([['k1', Buffer.alloc(32, 7)]]));

/** A desk for sources over `sql`. */
export const makeDesk = (sql: Sql) =>
	createSourceDesk({ sql, secrets: keptSecrets, publish: () => {} });

export const linkKey = Buffer.alloc(32, 5);

/** Only for holds that a test wants to end now: as if the patient had gone long ago. */
const ageHold = async (sql: Sql, holdId: HoldId, byMs: number): Promise<void> => {
	await sql`
		with old as (
			update holds set expires_at = expires_at - ${byMs} * interval '1 millisecond'
			where id = ${holdId} returning slot_id, fence, expires_at
		)
		update slots s set claim_untils = (
			select array_agg(case when c.fence = old.fence then old.expires_at else c.until end
				order by c.fence)
			from unnest(s.claim_fences, s.claim_untils) as c (fence, until))
		from old where s.id = old.slot_id`;
};

export type World = Awaited<ReturnType<typeof createWorld>>;

/** An own database, the hub's API over it, and one schedule of a clinic that books by FHIR. */
export const createWorld = async (over: Partial<HubApiDeps> = {}, pool = 20) => {
	const database = await createTestDatabase();
	const sql = createPostgres(database.url, { applicationName: 'test', max: pool });
	const published: RoomEntry<unknown>[] = [];
	const queued: string[] = [];
	const publish = (entries: readonly RoomEntry<unknown>[]) => void published.push(...entries);
	const deps: HubApiDeps = {
		sql,
		publish,
		clock: systemClock,
		phi,
		linkKey,
		publicUrl: 'https://hub.example',
		enqueueBooking: async (id) => void queued.push(id),
		addAlerts: async () => true,
		queueStatus: async () => [],
		socketCounts: () => ({ patients: 0, providers: 0, rooms: 0 }),
		feedLagMs: () => null,
		sources: makeDesk(sql),
		config: {
			holdTtlMs: 300_000,
			maxHoldsPerDevice: 2,
			maxHoldsPerHour: 20,
			// Tests book for one invented person again and again.
			maxVisitsPerPerson: 1_000
		},
		...over
	};
	const api = createHubApi(deps);
	await sql`insert into epochs (epoch, database_identity) values ('epoch-1', 'test')`;
	const builders = createBuilders(sql);
	const sourceId = await builders.addSource();
	const scheduleId = await builders.addSchedule(sourceId);
	return mustClose('world', {
		...builders,
		api,
		deps,
		database,
		phi,
		publish,
		published,
		queued,
		scheduleId,
		sourceId,
		sql,
		ageHold: (holdId: HoldId, byMs = 3_600_000) => ageHold(sql, holdId, byMs),
		hold: async (slotId: SlotId, device = makeDevice()) => {
			const held = await api.placeHold(device, { slotId, requestId: makeRequest() });
			if (!held.ok) throw new Error(`not held: ${held.reason}`);
			return { device, ...held.value };
		},
		close: async () => {
			await sql.end({ timeout: 5 });
			await database.close();
		}
	});
};
