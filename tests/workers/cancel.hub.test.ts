// Cancelling by whole worker processes at a simulated clinic: lost replies, dead workers, no Redis.
import { expect, onTestFinished, test } from 'vitest';
import type { BookingId } from '#domain/ids.ts';
import { createQueues } from '#workers/queues.ts';
import type { RunningClinic } from '../../demo/clinics/start.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { createMortalRedis } from './mortal-redis.ts';
import { createPatient, type Patient } from './patient.ts';

const key = 'prairie-lantern';
/** The machine may be busy with other tests. */
const patience = { timeoutMs: 60_000 };

type Scene = {
	clinic: RunningClinic;
	patient: Patient;
	bookingId: BookingId;
	/** What the clinic calls the booked time. */
	slotId: string;
};

const untilState = async (patient: Patient, bookingId: BookingId, state: string): Promise<void> => {
	await until(async () => (await patient.look(bookingId)).state === state, patience);
};

/** A booked visit. */
const enter = async (system: System, withQueues = true): Promise<Scene> => {
	const clinic = system.clinics.clinics.find((one) => one.key === key);
	if (clinic === undefined) throw new Error('no such clinic');
	await until(async () => {
		const [row] = await system.database.sql<{ n: number }[]>`
			select count(*)::int as n from slots where status = 'free'`;
		return (row?.n ?? 0) > 10;
	}, patience);
	const queues = withQueues ? createQueues(system.redis.url, system.redis.prefix) : null;
	if (queues !== null) onTestFinished(() => queues.close());
	const patient = createPatient(system, queues);
	const bookingId = await patient.book(key);
	await untilState(patient, bookingId, 'booked');
	const [slot] = await system.database.sql<{ id: string }[]>`
		select s.source_slot_id as id from bookings b join slots s on s.id = b.slot_id
		where b.id = ${bookingId}`;
	return { clinic, patient, bookingId, slotId: slot?.id ?? '' };
};

const visitsOf = (clinic: RunningClinic): string[] =>
	clinic.appointments().map(({ status }) => status);

const statusOf = (clinic: RunningClinic, slotId: string) =>
	clinic.truth().slots.find(({ id }) => id === slotId)?.status;

const isOpenAgain = async ({ database }: System, bookingId: BookingId): Promise<boolean> => {
	const [row] = await database.sql<{ isOpen: boolean }[]>`
		select s.status = 'free' and s.claim_fences = '{}' as "isOpen"
		from bookings b join slots s on s.id = b.slot_id where b.id = ${bookingId}`;
	return row?.isOpen === true;
};

test('[J2] the clinic cancels, says so, and the time is open for everybody again', async () => {
	await using system = await startSystem({ keys: [key] });
	await system.startWorkers();
	const { clinic, patient, bookingId, slotId } = await enter(system);
	await patient.cancel(bookingId);
	await untilState(patient, bookingId, 'cancelled');
	expect(visitsOf(clinic)).toEqual(['cancelled']);
	expect(statusOf(clinic, slotId)).toBe('free');
	await until(() => isOpenAgain(system, bookingId), patience);
});

test('[J5] the clinic cancels but its reply is lost: reading settles it, once', async () => {
	await using system = await startSystem({ keys: [key] });
	const workers = await system.startWorkers();
	const { clinic, patient, bookingId } = await enter(system);
	clinic.setFault({ kind: 'reply_lost', count: 1, match: 'PUT' });
	await patient.cancel(bookingId);
	await until(() => workers.output().includes('cancel_unconfirmed'), patience);
	await untilState(patient, bookingId, 'cancelled');
	expect(visitsOf(clinic)).toEqual(['cancelled']);
});

test('[J5] the worker dies between the clinic’s word and our commit: the next one finds it', async () => {
	await using system = await startSystem({ keys: [key] });
	const victim = await system.startWorkers();
	const { clinic, patient, bookingId } = await enter(system);
	clinic.setFault({ kind: 'reply_lost', match: 'PUT' });
	await patient.cancel(bookingId);
	await until(() => visitsOf(clinic)[0] === 'cancelled', patience);
	await victim.kill('SIGKILL');
	// Whatever the dead worker had heard, here the visit still stands.
	expect((await patient.look(bookingId)).state).toBe('cancelling');
	clinic.clearFault('reply_lost');
	await system.database.sql`update bookings set next_attempt_at = clock_timestamp()`;
	await system.startWorkers();
	await untilState(patient, bookingId, 'cancelled');
	expect(visitsOf(clinic)).toEqual(['cancelled']);
});

test('[J2] while the clinic does not answer the visit stands, and it is cancelled when it is back', async () => {
	await using system = await startSystem({ keys: [key] });
	await system.startWorkers();
	const { clinic, patient, bookingId } = await enter(system);
	clinic.setFault({ kind: 'http_500', match: 'Appointment' });
	await patient.cancel(bookingId);
	await until(async () => (await patient.look(bookingId)).state === 'cancelling');
	expect(visitsOf(clinic)).toEqual(['booked']);
	clinic.clearFault('http_500');
	await untilState(patient, bookingId, 'cancelled');
});

test('[J2] while Redis is dead a wish to cancel reaches the clinic', async () => {
	await using redis = await createMortalRedis();
	await using system = await startSystem({ keys: [key], env: { REDIS_URL: redis.url } });
	await system.startWorkers();
	const { clinic, patient, bookingId } = await enter(system, false);
	await redis.kill();
	await patient.cancel(bookingId);
	await untilState(patient, bookingId, 'cancelled');
	expect(visitsOf(clinic)).toEqual(['cancelled']);
});
