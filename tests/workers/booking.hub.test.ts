// Bookings by whole worker processes at simulated clinics: lost replies, dead workers, no Redis.
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { BookingId } from '#domain/ids.ts';
import { createQueues } from '#workers/queues.ts';
import type { RunningClinic } from '../../demo/clinics/start.ts';
import { startSystem, type System } from '../support/system.ts';
import { connectRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { createMortalRedis } from './mortal-redis.ts';
import { canary, createPatient, type Patient } from './patient.ts';

const key = 'prairie-lantern';
const otherKey = 'cedar-harbor';

type Scene = { system: System; clinic: RunningClinic; patient: Patient };

const openQueues = async (url: string, prefix: string) => {
	const queues = createQueues(url, prefix);
	onTestFinished(() => queues.close());
	await until(() => queues.isUp());
	return queues;
};

const hasSlots = async (system: System): Promise<boolean> => {
	const few = await system.database.sql`
		select 1 from sources o where 10 >= (
			select count(*) from slots s where s.source_id = o.id and s.status = 'free')`;
	return few.length === 0;
};

const enter = async (system: System, withQueues = true): Promise<Scene> => {
	const clinic = system.clinics.clinics.find((one) => one.key === key);
	if (clinic === undefined) throw new Error('no such clinic');
	await until(() => hasSlots(system));
	const queues = withQueues ? await openQueues(system.redis.url, system.redis.prefix) : null;
	return { system, clinic, patient: createPatient(system, queues) };
};

const untilState = async (patient: Patient, bookingId: BookingId, state: string): Promise<void> => {
	await until(async () => (await patient.look(bookingId)).state === state, { timeoutMs: 60_000 });
};

const visitsOf = (clinic: RunningClinic) =>
	clinic.appointments().filter(({ status }) => status === 'booked');

/** Everything that Redis keeps, as text. */
const readAll = async (redis: Redis): Promise<string> => {
	const readers: Record<string, (key: string) => Promise<unknown>> = {
		string: (name) => redis.get(name),
		hash: (name) => redis.hgetall(name),
		list: (name) => redis.lrange(name, 0, -1),
		set: (name) => redis.smembers(name),
		zset: (name) => redis.zrange(name, '0', '-1'),
		stream: (name) => redis.xrange(name, '-', '+')
	};
	const parts: unknown[] = [];
	for (const name of await redis.keys('*')) {
		parts.push(name, await readers[await redis.type(name)]?.(name));
	}
	return JSON.stringify(parts);
};

/** Helps time along: what is lent to a dead worker comes back. */
const makeDue = async (system: System): Promise<void> => {
	await system.database.sql`update bookings set next_attempt_at = clock_timestamp()`;
};

test('[W14] a booking reaches the clinic, and its word reaches the patient', async () => {
	await using system = await startSystem({ keys: [key] });
	const workers = await system.startWorkers();
	const { clinic, patient } = await enter(system);
	const bookingId = await patient.book(key);
	await untilState(patient, bookingId, 'booked');
	expect(visitsOf(clinic)).toHaveLength(1);
	await using redis = connectRedis(system.redis.url);
	const kept = await readAll(redis.client);
	expect(kept).toContain('booking');
	expect(kept).not.toContain(canary);
	expect(workers.output()).not.toContain(canary);
});

test('[W14] the clinic books but its reply is lost: asking settles it, once', async () => {
	await using system = await startSystem({ keys: [key] });
	const workers = await system.startWorkers();
	const { clinic, patient } = await enter(system);
	clinic.setFault({ kind: 'reply_lost', count: 1 });
	const bookingId = await patient.book(key);
	await until(() => workers.output().includes('booking_unconfirmed'));
	await untilState(patient, bookingId, 'booked');
	expect(visitsOf(clinic)).toHaveLength(1);
});

test('[W15] the worker dies while the clinic books: the next one finds it, once', async () => {
	await using system = await startSystem({ keys: [key] });
	const victim = await system.startWorkers();
	const { clinic, patient } = await enter(system);
	clinic.setFault({ kind: 'reply_lost', match: 'POST' });
	const bookingId = await patient.book(key);
	await until(() => visitsOf(clinic).length === 1);
	await victim.kill('SIGKILL');
	clinic.clearFault('reply_lost');
	await makeDue(system);
	await system.startWorkers();
	await untilState(patient, bookingId, 'booked');
	expect(visitsOf(clinic)).toHaveLength(1);
});

test('[W15] two worker processes and a heap of jobs: one booking at the clinic', async () => {
	await using system = await startSystem({ keys: [key] });
	await Promise.all([system.startWorkers(), system.startWorkers()]);
	const { clinic, patient } = await enter(system);
	const queues = await openQueues(system.redis.url, system.redis.prefix);
	const ids: BookingId[] = [];
	for (let visit = 0; visit < 5; visit += 1) {
		const bookingId = await patient.book(key);
		ids.push(bookingId);
		for (let attempt = 1; attempt < 6; attempt += 1) await queues.addBooking(bookingId, attempt);
	}
	for (const bookingId of ids) await untilState(patient, bookingId, 'booked');
	expect(visitsOf(clinic)).toHaveLength(5);
});

test('[W49] a clinic that hangs with a queue of bookings keeps nobody waiting at another', async () => {
	await using system = await startSystem({ keys: [key, otherKey] });
	const earlier = await system.startWorkers();
	const { clinic, patient } = await enter(system, false);
	await earlier.close();
	clinic.setFault({ kind: 'hang', forMs: 60_000, match: 'POST' });
	// More than one worker writes at a time, and all of them due before the other one.
	const stuck: { someone: Patient; id: BookingId }[] = [];
	for (let nr = 0; nr < 50; nr += 1) {
		const someone = createPatient(system, null);
		stuck.push({ someone, id: await someone.book(key) });
	}
	const bookingId = await patient.book(otherKey);
	const queues = await openQueues(system.redis.url, system.redis.prefix);
	for (const { id } of stuck) await queues.addBooking(id);
	await queues.addBooking(bookingId);
	const workers = await system.startWorkers();
	await untilState(patient, bookingId, 'booked');
	// Its turn came while the first of them were still being waited for.
	for (const { someone, id } of stuck) expect((await someone.look(id)).state).toBe('confirming');
	// It would wait for the clinic's answers.
	await workers.kill('SIGKILL');
});

test('[W17][W21] while Redis is dead bookings reach the clinic and expired holds are given back', async () => {
	await using redis = await createMortalRedis();
	await using system = await startSystem({ keys: [key], env: { REDIS_URL: redis.url } });
	await system.startWorkers();
	const { clinic, patient } = await enter(system, false);
	await redis.kill();
	const { holdId, slotId } = await patient.hold(key, 1_000);
	const bookingId = await patient.book(key);
	await untilState(patient, bookingId, 'booked');
	expect(visitsOf(clinic)).toHaveLength(1);
	const { sql } = system.database;
	await until(async () => {
		const [hold] = await sql`select 1 from holds where id = ${holdId} and state = 'expired'`;
		return hold !== undefined;
	});
	const told = await sql`
		select 1 from change_log, jsonb_array_elements(changes) c
		where c -> 0 = to_jsonb(${slotId}::bigint) and c ->> 4 = '1'`;
	expect(told.length).toBeGreaterThan(0);
});
