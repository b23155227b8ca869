// Pushes the whole way: a simulated clinic, hub and workers as real processes, a viewer in a room.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { SlotStatus } from '#domain/slot.ts';
import type { FaultRequest } from '../../demo/clinics/faults.ts';
import { findFreePort } from '../../ops/embedded/ports.ts';
import { connectRedis } from '../support/redis.ts';
import { listenToRedis } from '../support/redis-monitor.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { createViewer } from '../support/viewer.ts';
import { notification, pushKey, webhook, type Message } from './push-world.ts';

const CLINIC = 'bluestem';

/** One clinic that may push, and a hub at the address that it is told. */
const startPushing = async (secrets = `${CLINIC}.push=${pushKey}`) => {
	const port = await findFreePort();
	const system = await startSystem({
		keys: [CLINIC],
		slotCount: 120,
		env: {
			HUB_PUBLIC_URL: `http://127.0.0.1:${port}`,
			HUB_SOURCE_SECRETS: secrets
		}
	});
	return { system, port, clinic: must(system.clinics.clinics[0], 'clinic') };
};

/** The source was read, subscribed to, and is not polled for an hour. */
const settle = async (system: System): Promise<void> => {
	const { sql } = system.database;
	await until(async () => {
		const rows = await sql`
			select 1 from push_links l join sources o on o.id = l.source_id
			where l.status = 'active' and o.committed_gen > 0
				and not exists (select 1 from push_inbox)`;
		return rows.length === 1;
	});
	await until(async () => {
		const rows = await sql`
			update sources set next_poll_at = clock_timestamp() + interval '1 hour'
			where polling_until is null and not exists (select 1 from push_inbox) returning 1`;
		return rows.length === 1;
	});
};

const polls = async (system: System): Promise<number> => {
	const [row] = await system.database.sql<{ gen: number }[]>`select poll_gen as gen from sources`;
	return row?.gen ?? 0;
};

const statusOf = async (system: System, slotId: string): Promise<string | undefined> => {
	const [row] = await system.database.sql<{ status: SlotStatus; gone: boolean }[]>`
		select status, removed_at is not null as gone from slots where source_slot_id = ${slotId}`;
	return row?.gone === true ? 'gone' : row?.status;
};

const post = (port: number, { headers, body }: Pick<Message, 'headers'> & { body: BodyInit }) =>
	fetch(`http://127.0.0.1:${port}/api/v1/push/${CLINIC}`, { method: 'POST', headers, body });

const freeSlots = ({ clinics }: System): string[] =>
	must(clinics.clinics[0], 'clinic')
		.truth()
		.slots.filter(({ status, startAt }) => status === 'free' && startAt > clinics.now() + 7_200_000)
		.map(({ id }) => id);

test('[Y15][Y6] the hub subscribes by itself, and a change is in the room without a poll', async () => {
	const { system, port, clinic } = await startPushing();
	await using _ = system;
	const hub = await system.startHub(port);
	await system.startWorkers();
	await settle(system);
	const [slotId] = freeSlots(system);
	const [row] = await system.database.sql<{ id: number; room: string }[]>`
		select s.id, r.name as room from slots s join schedules c on c.id = s.schedule_id
			join rooms r on r.id = any(c.room_ids)
		where s.source_slot_id = ${must(slotId, 'slot')} limit 1`;
	const { id, room } = must(row, 'slot in a room');
	await using viewer = createViewer({ url: hub.url, rooms: [room], epoch: system.epoch });
	await until(() => viewer.shown(room).has(id));
	const before = await polls(system);
	clinic.setSlotStatus(must(slotId, 'slot'), 'busy');
	await until(() => !viewer.shown(room).has(id));
	clinic.setSlotStatus(must(slotId, 'slot'), 'free');
	await until(() => viewer.shown(room).has(id));
	expect(await polls(system)).toBe(before);
	expect(viewer.journal.broken).toEqual([]);
});

test('[Y15] a source that is switched off is left: its subscription is ended', async () => {
	const { system, port } = await startPushing();
	await using _ = system;
	await system.startHub(port);
	await system.startWorkers();
	await settle(system);
	const { sql } = system.database;
	const [kept] = await sql<{ id: string }[]>`select subscription as id from push_subscribing`;
	const [source] = await sql<{ url: string }[]>`select url from sources`;
	const url = `${source?.url}/Subscription/${kept?.id}`;
	expect((await fetch(url)).status).toBe(200);
	await sql`update sources set enabled = false`;
	await until(async () => (await fetch(url)).status === 404);
	await until(async () => (await sql`select 1 from push_links`).length === 0);
});

const faults: readonly FaultRequest[] = [
	{ kind: 'push_lost', count: 1 },
	{ kind: 'push_twice', count: 2 },
	{ kind: 'push_swapped', count: 1 },
	{ kind: 'push_late', count: 1, delayMs: 300 }
];

test('[Y16][Y8] lost, doubled, swapped, late: after each the board is right', async () => {
	const { system, port, clinic } = await startPushing();
	await using _ = system;
	const hub = await system.startHub(port);
	await system.startWorkers();
	await settle(system);
	for (const fault of faults) {
		const [one, other] = freeSlots(system);
		clinic.setFault(fault);
		clinic.setSlotStatus(must(one, 'slot'), 'busy');
		clinic.setSlotStatus(must(other, 'slot'), 'busy-unavailable');
		await until(async () => (await statusOf(system, must(one, 'slot'))) === 'busy', {
			what: `${fault.kind}: the first change is seen`
		});
		await until(async () => (await statusOf(system, must(other, 'slot'))) === 'busy-unavailable', {
			what: `${fault.kind}: the second change is seen`
		});
		clinic.setFault(null);
	}
	expect(hub.output()).toContain('"event":"push_gap"');
	const [link] = await system.database.sql<{ repeated: number; lost: number }[]>`
		select repeated, lost from push_links`;
	expect(link?.repeated).toBeGreaterThanOrEqual(2);
	expect(link?.lost).toBeGreaterThanOrEqual(1);
});

/** Read once, never polled again: nothing runs but the hub. */
const readOnce = async (system: System): Promise<void> => {
	const workers = await system.startWorkers();
	await until(async () => (await system.readTruth()).size > 0);
	await until(
		async () =>
			(
				await system.database.sql`
		select 1 from poll_estimates`
			).length === 1
	);
	await workers.kill('SIGTERM');
};

/** The slot as the clinic will tell it, and its notification. */
const eventOf = async (
	system: System,
	slotId: string,
	number: number,
	more: object = {}
): Promise<Message> => {
	const [source] = await system.database.sql<{ url: string }[]>`select url from sources`;
	const response = await fetch(`${source?.url}/Slot/${slotId}`);
	const resource = { ...((await response.json()) as object), ...more };
	return notification({
		type: 'event-notification',
		since: number,
		events: [number],
		resources: [resource]
	});
};

test('[Y6][Y1] a hub killed between its answer and writing loses nothing', async () => {
	const { system, port, clinic } = await startPushing();
	await using _ = system;
	await readOnce(system);
	const hub = await system.startHub(port);
	const { sql } = system.database;
	expect((await post(port, notification({ type: 'handshake', since: 0 }))).status).toBe(202);
	const [slotId] = freeSlots(system);
	clinic.setSlotStatus(must(slotId, 'slot'), 'busy');
	const event = await eventOf(system, must(slotId, 'slot'), 1);
	await sql.begin(async (tx) => {
		// Whoever writes slots of this source waits here.
		await tx`select 1 from sources for no key update`;
		expect((await post(port, event)).status).toBe(202);
		await hub.kill('SIGKILL');
	});
	expect(await statusOf(system, must(slotId, 'slot'))).toBe('free');
	// Polls would find it as well; here only the inbox can.
	await sql`update sources set next_poll_at = clock_timestamp() + interval '1 hour'`;
	await sql`delete from push_inbox where slots = '[]'`;
	await system.startWorkers();
	await until(async () => (await statusOf(system, must(slotId, 'slot'))) === 'busy');
});

test('[Y1] over HTTP: kept, refused, too large, compressed, and too often', async () => {
	const { system, port } = await startPushing();
	await using _ = system;
	await system.startHub(port);
	const now = Date.now();
	const taken = await post(port, webhook('msg_1', now));
	expect([taken.status, await taken.json()]).toEqual([202, { outcome: 'taken' }]);
	expect(taken.headers.getSetCookie()).toEqual([]);
	expect(await (await post(port, webhook('msg_1', now))).json()).toEqual({ outcome: 'repeated' });
	const wrong = await post(port, { ...webhook('msg_2', now), body: '{}' });
	expect(wrong.status).toBe(401);
	expect(wrong.headers.get('content-type')).toContain('application/problem+json');
	expect(await wrong.json()).toMatchObject({ reason: 'push_not_signed' });
	const large = webhook('msg_3', now, JSON.stringify('x'.repeat(300_000)));
	expect((await post(port, large)).status).toBe(413);
	const packed = webhook('msg_4', now);
	const unread = await post(port, {
		headers: { ...packed.headers, 'content-encoding': 'gzip' },
		body: gzipSync(packed.body)
	});
	expect(unread.status).toBe(400);
	const tries = await Promise.all(
		Array.from({ length: 40 }, () => post(port, { headers: {}, body: '{}' }))
	);
	expect(new Set(tries.map(({ status }) => status))).toEqual(new Set([401, 429]));
	expect((await post(port, webhook('msg_5', now))).status).toBe(202);
});

const secretName = 'Zyxandra Canaryson';

const dumpAll = async ({ database: { sql }, redis }: System): Promise<string> => {
	await using client = connectRedis(redis.url);
	const parts: string[] = [];
	for (const key of await client.client.keys('*')) {
		parts.push(key, (await client.client.dumpBuffer(key))?.toString('latin1') ?? '');
	}
	const tables = await sql<{ name: string }[]>`
		select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`;
	for (const { name } of tables) {
		const rows = await sql.unsafe<{ line: string }[]>(`select t::text as line from ${name} t`);
		parts.push(...rows.map(({ line }) => line));
	}
	return parts.join('\n');
};

test('[Y14] a patient planted in payloads is in no table, no Redis and no log', async () => {
	const { system, port } = await startPushing();
	await using _ = system;
	await readOnce(system);
	const ear = await listenToRedis(system.redis.url);
	const hub = await system.startHub(port);
	const [slotId] = freeSlots(system);
	const more = {
		comment: secretName,
		text: { status: 'generated', div: `<div>${secretName}</div>` },
		contained: [{ resourceType: 'Patient', id: 'p', name: [{ text: secretName }] }]
	};
	const appointment = { resourceType: 'Appointment', id: 'a', description: secretName };
	const event = await eventOf(system, must(slotId, 'slot'), 2, more);
	const bundle = JSON.parse(event.body) as { entry: object[] };
	const body = JSON.stringify({ ...bundle, entry: [...bundle.entry, { resource: appointment }] });
	expect((await post(port, { ...event, body })).status).toBe(202);
	const signed = webhook('msg_1', Date.now(), JSON.stringify({ patient: secretName }));
	expect((await post(port, signed)).status).toBe(202);
	expect((await post(port, { ...event, body: secretName })).status).toBe(400);
	expect((await post(port, { ...signed, body: secretName })).status).toBe(401);
	await until(() => hub.output().includes('push_applied'));
	ear.close();
	for (const text of [await dumpAll(system), ear.heard.join('\n'), hub.output()]) {
		expect(text.length).toBeGreaterThan(20);
		expect(text).not.toContain('Zyxandra');
		expect(text).not.toContain(pushKey);
	}
});

test('[Y18] the key that the command prints opens the door of a running hub', async () => {
	const { system, port } = await startPushing('');
	await using _ = system;
	await system.startHub(port);
	const now = Date.now();
	expect((await post(port, webhook('msg_1', now))).status).toBe(401);
	const { stdout } = await promisify(execFile)(
		process.execPath,
		[resolve(import.meta.dirname, '../../ops/slotcast.js'), 'source', 'push-key', CLINIC],
		{ env: { HUB_MODE: 'development', DATABASE_URL: system.database.url } }
	);
	const key = stdout.trim();
	expect(key).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
	expect((await post(port, webhook('msg_1', now, '{}', key))).status).toBe(202);
});
