import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PatientId, type DeviceKey } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { createPhiCipher, PhiUnreadable } from '#server/platform/phi.ts';
import { HUB_ROLE } from '#server/platform/postgres.ts';
import { verifyAudit, type Actor } from '#server/store/audit.ts';
import {
	actAs,
	insertPatient,
	readPatients,
	rewrapPatients,
	shredPatient
} from '#server/store/patients.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makePatient,
	type World
} from '../scheduling/world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const makeRow = async (device: DeviceKey = makeDevice()) => {
	const id = PatientId.parse(randomUUID());
	await world.sql.begin(async (tx) => {
		await actAs(tx, `device:${device}`);
		await insertPatient(tx, world.phi, { id, device, details: makePatient() });
	});
	return { id, device };
};

const readAs = (actor: Actor, ids: PatientId[], phi = world.phi) =>
	world.sql.begin(async (tx) => {
		await actAs(tx, actor);
		return await readPatients(tx, phi, actor, ids);
	});

test('[P5] patients are read by whom they concern, and by nobody who does not say who it is', async () => {
	const { id, device } = await makeRow();
	expect((await readAs(`device:${device}`, [id])).get(id)).toEqual(makePatient());
	const strangers: Actor[] = [
		`device:${makeDevice()}`,
		`clinic:${world.sourceId}`,
		'worker:write-booking'
	];
	for (const actor of strangers) expect((await readAs(actor, [id])).size).toBe(0);
	await world.sql.begin(async (tx) => {
		await tx`select set_config('role', ${HUB_ROLE}, true)`;
		expect(await tx`select id from patients`).toHaveLength(0);
	});
	// What one transaction said is forgotten in the next.
	await world.sql.begin(async (tx) => {
		await actAs(tx, `device:${device}`);
		expect(await tx`select id from patients`).toHaveLength(1);
	});
	await world.sql.begin(async (tx) => {
		await tx`select set_config('role', ${HUB_ROLE}, true)`;
		expect(await tx`select id from patients`).toHaveLength(0);
	});
});

test('[P5] a clinic reads only patients who booked with it, and cannot write any', async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const hold = await world.hold(slotId);
	await world.api.confirmBooking(hold.device, makeConfirm(hold.id));
	const [row] = await world.sql<{ id: PatientId }[]>`
		select patient_id as id from bookings where hold_id = ${hold.id}`;
	const id = must(row).id;
	expect((await readAs(`clinic:${world.sourceId}`, [id])).size).toBe(1);
	expect((await readAs(`clinic:${await world.addSource()}`, [id])).size).toBe(0);
	await expect(
		world.sql.begin(async (tx) => {
			await actAs(tx, `clinic:${world.sourceId}`);
			await tx`update patients set version = version + 1 where id = ${id}`;
		})
	).rejects.toThrow(/row-level security/);
	await expect(
		world.sql.begin(async (tx) => {
			await actAs(tx, `device:${makeDevice()}`);
			await insertPatient(tx, world.phi, {
				id: PatientId.parse(randomUUID()),
				device: makeDevice(),
				details: makePatient()
			});
		})
	).rejects.toThrow(/row-level security/);
});

test('[P5] row-level security is forced, and the hub role can neither bypass nor rewrite', async () => {
	const [table] = await world.sql<{ on: boolean; forced: boolean }[]>`
		select relrowsecurity as on, relforcerowsecurity as forced
		from pg_class where oid = 'patients'::regclass`;
	expect(table).toEqual({ on: true, forced: true });
	const [role] = await world.sql<{ power: boolean; owns: number; rewrites: boolean }[]>`
		select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb as power,
			(select count(*) from pg_class where relowner = r.oid) as owns,
			has_table_privilege(${HUB_ROLE}, 'audit', 'update, delete, truncate') as rewrites
		from pg_roles r where rolname = ${HUB_ROLE}`;
	expect(role).toEqual({ power: false, owns: 0, rewrites: false });
});

test('[P2] rows that were swapped or changed in the database are noticed', async () => {
	const one = await makeRow();
	const two = await makeRow(one.device);
	await world.sql`
		update patients p set details = o.details from patients o
		where p.id = ${one.id} and o.id = ${two.id}`;
	await expect(readAs(`device:${one.device}`, [one.id])).rejects.toThrow(PhiUnreadable);
	// Even with its key and version: the row's own id is part of what was sealed.
	await world.sql`
		update patients p set details = o.details, wrapped_key = o.wrapped_key
		from patients o where p.id = ${one.id} and o.id = ${two.id}`;
	await expect(readAs(`device:${one.device}`, [one.id])).rejects.toThrow(PhiUnreadable);
	await world.sql`update patients set version = 2 where id = ${two.id}`;
	await expect(readAs(`device:${one.device}`, [two.id])).rejects.toThrow(PhiUnreadable);
	await world.sql`delete from patients where id in (${one.id}, ${two.id})`;
});

test('[P1] no column of any table holds a word of what a patient typed', async () => {
	await makeRow();
	const tables = await world.sql<{ name: string }[]>`
		select relname as name from pg_class
		where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace`;
	expect(tables.length).toBeGreaterThan(10);
	for (const { name } of tables) {
		const [row] = await world.sql<{ found: boolean }[]>`
			select coalesce(bool_or(t::text ~*
				-- The last one is "Rosa Mart" as bytea is written.
				'Rosa|Mart|1961-05-23|406 555 0100|mole|526f7361'), false) as found
			from ${world.sql(name)} t`;
		expect([name, row?.found]).toEqual([name, false]);
	}
});

test('[P3] keys are rotated in batches while everything stays readable', async () => {
	const rows = [];
	for (let i = 0; i < 5; i += 1) rows.push(await makeRow());
	const rotating = createPhiCipher(
		new Map([
			['k2', Buffer.alloc(32, 8)],
			['k1', Buffer.alloc(32, 7)]
		])
	);
	let done = 0;
	for (;;) {
		const count = await rewrapPatients(world.sql, rotating, 2);
		if (count === 0) break;
		done += count;
	}
	expect(done).toBeGreaterThanOrEqual(5);
	const after = createPhiCipher(new Map([['k2', Buffer.alloc(32, 8)]]));
	for (const { id, device } of rows) {
		expect((await readAs(`device:${device}`, [id], after)).get(id)).toEqual(makePatient());
	}
	const back = createPhiCipher(
		new Map([
			['k1', Buffer.alloc(32, 7)],
			['k2', Buffer.alloc(32, 8)]
		])
	);
	while ((await rewrapPatients(world.sql, back, 100)) > 0);
});

test('[P6] a shredded patient cannot be read again, not even from an older copy of the row', async () => {
	const one = await makeRow();
	const other = await makeRow();
	const [copy] = await world.sql<{ details: Uint8Array }[]>`
		select details from patients where id = ${one.id}`;
	expect(await shredPatient(world.sql, one.id)).toBe(true);
	expect((await readAs(`device:${one.device}`, [one.id])).size).toBe(0);
	await world.sql`update patients set details = ${Buffer.from(must(copy).details)},
		version = 1 where id = ${one.id}`;
	expect((await readAs(`device:${one.device}`, [one.id])).size).toBe(0);
	expect((await readAs(`device:${other.device}`, [other.id])).size).toBe(1);
	expect(await shredPatient(world.sql, PatientId.parse(randomUUID()))).toBe(false);
});

test('[P7] every read and write leaves its row, and a read that fails leaves none', async () => {
	const { id, device } = await makeRow();
	await readAs(`device:${device}`, [id]);
	await readAs(`device:${makeDevice()}`, [id]);
	const rows = await world.sql<{ actor: string; action: string }[]>`
		select actor, action from audit where objects @> array[${id}] order by id`;
	expect([...rows]).toEqual([
		{ actor: `device:${device}`, action: 'patient_written' },
		{ actor: `device:${device}`, action: 'patient_read' }
	]);
});

test('[P8] the audit is a chain: an edit, a removal, a cut end are found and named', async () => {
	await Promise.all(Array.from({ length: 20 }, () => makeRow()));
	const whole = await verifyAudit(world.sql);
	if (!whole.intact) throw new Error(`broken at ${whole.brokenAt}`);
	expect(whole.head.id).toBeGreaterThan(20);
	const verdictAfter = async (harm: (tx: World['sql']) => Promise<unknown>) => {
		const undo = new Error('undo');
		let verdict: unknown;
		await world.sql
			.begin(async (tx) => {
				await harm(tx as unknown as World['sql']);
				verdict = await verifyAudit(tx, whole.head);
				throw undo;
			})
			.catch((error: unknown) => {
				if (error !== undo) throw error;
			});
		return verdict;
	};
	const broken = (brokenAt: number) => ({ intact: false, brokenAt });
	const last = whole.head.id;
	expect(await verdictAfter((tx) => tx`update audit set actor = 'x:y' where id = 5`)).toEqual(
		broken(5)
	);
	expect(await verdictAfter((tx) => tx`update audit set at = at + '1 s' where id = 7`)).toEqual(
		broken(7)
	);
	expect(await verdictAfter((tx) => tx`delete from audit where id = 6`)).toEqual(broken(6));
	expect(await verdictAfter((tx) => tx`delete from audit where id = ${last}`)).toEqual(
		broken(last)
	);
	expect(
		await verdictAfter((tx) => tx`update audit set objects = '{}' where id = ${last}`)
	).toEqual(broken(last));
	expect(await verdictAfter(async () => undefined)).toEqual(whole);
});
