// What stands when a promise has been made: on disk before it is told, and with its request in one
// transaction.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { createPostgres } from '#server/platform/postgres.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { placeHold } from '#server/store/holds.ts';
import { migrate } from '#server/store/migrate.ts';
import { createEmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { makeRunFolder } from '../../ops/embedded/paths.ts';
import { isAlive } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { createWorld, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(() => world.close());

const limits = { ttlMs: 300_000, maxLive: 2, maxPerHour: 20 };
const KILLS = 3;

const addSlots = `
	insert into sources (key, name, kind, url, min_interval_ms, fresh_for_ms, window_ms, booking)
	values ('a', 'A', 'fhir-slots', 'http://127.0.0.1:1/fhir', 60000, 60000, 60000, 'fhir');
	insert into schedules (source_id, key, practitioner_name, organization_name, specialty_ids,
		regions, kinds, languages, zone)
	values (1, 'a', 'A', 'A', '{}', '{}', '{}', '{}', 'America/Denver');
	insert into slots (source_id, schedule_id, key, starts_at, ends_at, status, capacity, remaining,
		source_slot_id)
	select 1, 1, i::text, now() + i * interval '1 hour', now() + i * interval '2 hours', 'free', 1, 1,
		i::text
	from generate_series(1, ${KILLS}) i`;

test('[Z19] a hold that was told is there after Postgres was killed in the same moment', async () => {
	const dataDir = makeRunFolder('test');
	try {
		const lost: number[] = [];
		for (let kill = 0; kill <= KILLS; kill += 1) {
			const server = await createEmbeddedPostgres({ dataDir, durable: true });
			const sql = createPostgres(server.url, { max: 1, applicationName: 'killed' });
			if (kill === 0) {
				await migrate(sql);
				await sql.unsafe(addSlots);
			}
			const [row] = await sql<{ count: number }[]>`select count(*)::int as count from holds`;
			if (must(row).count !== kill) lost.push(kill);
			const asked = {
				device: makeDevice(),
				slotId: (kill + 1) as SlotId,
				requestId: makeRequest()
			};
			if (kill < KILLS) {
				expect(await placeHold(sql, asked, limits)).toMatchObject({ outcome: 'granted' });
				process.kill(server.pid, 'SIGKILL');
				await until(() => !isAlive(server.pid));
			}
			await sql.end({ timeout: 0 });
			await server.close();
		}
		expect(lost).toEqual([]);
	} finally {
		rmSync(dataDir, { recursive: true, force: true });
	}
}, 300_000);

/** Whether the newest request of each kind was written by the transaction that made its effect. */
const isOne = async (effect: 'holds' | 'bookings' | 'waiting_entries', requestId: string) => {
	const rows = await world.sql<{ isOne: boolean }[]>`
		select r.xmin = e.xmin as "isOne" from requests r
		join ${world.sql(effect)} e on e.id::text = r.reply ->> 'id'
		where r.request_id = ${requestId}`;
	return rows.map((row) => row.isOne);
};

test('[H41] a request is remembered by the very transaction of its effect, on every way', async () => {
	const device = makeDevice();
	const slotId = await world.addSlot(world.scheduleId);
	const requestId = makeRequest();
	const held = await world.api.placeHold(device, { slotId, requestId });
	if (!held.ok) throw new Error(held.reason);
	expect(await isOne('holds', requestId)).toEqual([true]);

	const confirm = makeConfirm(held.value.id);
	const made = await world.api.confirmBooking(device, confirm);
	if (!made.ok) throw new Error(made.reason);
	// Both are written below the driver's savepoint, which is one transaction's part.
	expect(await isOne('bookings', confirm.requestId)).toEqual([true]);

	const booked = { state: 'booked', appointmentId: 'a-1', joinUrl: null } as const;
	await settleBooking(world.sql, made.value.id, booked);
	const cancel = { bookingId: made.value.id, requestId: makeRequest() };
	expect(await world.api.cancelBooking(device, cancel)).toMatchObject({ ok: true });
	expect(await isOne('bookings', cancel.requestId)).toEqual([true]);

	const joining = makeRequest();
	const wish = {
		specialty: 'dermatology',
		region: 'US-MT',
		scheduleId: null,
		kinds: [],
		plan: null
	};
	const where = { language: null, dayPart: 'any', zone: 'America/Denver' } as const;
	await world.api.joinWaiting(device, { ...wish, ...where, requestId: joining });
	expect(await isOne('waiting_entries', joining)).toEqual([true]);
});
