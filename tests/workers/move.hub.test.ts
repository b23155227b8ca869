// Moving a visit by whole worker processes at a simulated clinic, killed at every point of the way.
// Whatever dies: the clinic has one visit in the end, and it is the new one.
import { expect, onTestFinished, test } from 'vitest';
import type { BookingId } from '#domain/ids.ts';
import { createQueues } from '#workers/queues.ts';
import type { RunningClinic } from '../../demo/clinics/start.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { createPatient, type Patient } from './patient.ts';

const key = 'prairie-lantern';
/** The machine may be busy with other tests. */
const patience = { timeoutMs: 60_000 };
type Fault = Parameters<RunningClinic['setFault']>[0];

type Scene = { clinic: RunningClinic; patient: Patient; oldId: BookingId };

const untilState = async (patient: Patient, bookingId: BookingId, state: string): Promise<void> => {
	await until(async () => (await patient.look(bookingId)).state === state, patience);
};

/** A booked visit. */
const enter = async (system: System): Promise<Scene> => {
	const clinic = system.clinics.clinics.find((one) => one.key === key);
	if (clinic === undefined) throw new Error('no such clinic');
	await until(async () => {
		const [row] = await system.database.sql<{ n: number }[]>`
			select count(*)::int as n from slots where status = 'free'`;
		return (row?.n ?? 0) > 10;
	}, patience);
	const queues = createQueues(system.redis.url, system.redis.prefix);
	onTestFinished(() => queues.close());
	const patient = createPatient(system, queues);
	const oldId = await patient.book(key);
	await untilState(patient, oldId, 'booked');
	return { clinic, patient, oldId };
};

const visitsOf = (clinic: RunningClinic): string[] =>
	clinic
		.appointments()
		.map(({ status }) => status)
		.toSorted();

const makeDue = async (system: System): Promise<void> => {
	await system.database.sql`update bookings set next_attempt_at = clock_timestamp()`;
};

const untilMoved = async (scene: Scene, newId: BookingId): Promise<void> => {
	await untilState(scene.patient, newId, 'booked');
	await untilState(scene.patient, scene.oldId, 'cancelled');
	expect(visitsOf(scene.clinic)).toEqual(['booked', 'cancelled']);
};

test('[J10] the new visit is booked, then the old one cancelled, and its time is free', async () => {
	await using system = await startSystem({ keys: [key] });
	await system.startWorkers();
	const scene = await enter(system);
	await untilMoved(scene, await scene.patient.move(scene.oldId, key));
});

test.each<[string, Fault, (scene: Scene) => boolean]>([
	[
		'before the clinic heard of the new time',
		{ kind: 'http_500', match: 'Slot/' },
		({ clinic }) => visitsOf(clinic).length === 1
	],
	[
		'between the clinic’s booking of the new time and our commit',
		{ kind: 'reply_lost', match: 'POST' },
		({ clinic }) => visitsOf(clinic).length === 2
	],
	[
		'between our commit and the cancellation of the old visit',
		{ kind: 'http_500', match: 'GET /fhir/Appointment/' },
		({ clinic }) => visitsOf(clinic).length === 2
	],
	[
		'between the clinic’s cancellation of the old visit and our commit',
		{ kind: 'reply_lost', match: 'PUT' },
		({ clinic }) => visitsOf(clinic).includes('cancelled')
	]
])('[J14] the worker is killed %s', async (_where, fault, isThere) => {
	await using system = await startSystem({ keys: [key] });
	const victim = await system.startWorkers();
	const scene = await enter(system);
	scene.clinic.setFault(fault);
	const newId = await scene.patient.move(scene.oldId, key);
	await until(() => isThere(scene), patience);
	await victim.kill('SIGKILL');
	// Nobody is told that a visit is gone, or moved, before the clinic has said so.
	const [old, next] = [await scene.patient.look(scene.oldId), await scene.patient.look(newId)];
	expect(['booked', 'cancelling']).toContain(old.state);
	if (next.state !== 'booked') expect(old.state).toBe('booked');
	scene.clinic.setFault(null);
	await makeDue(system);
	await system.startWorkers();
	await untilMoved(scene, newId);
});

test('[J11] the new time went to somebody else at the clinic: the old visit stands', async () => {
	await using system = await startSystem({ keys: [key] });
	await system.startWorkers();
	const { clinic, patient, oldId } = await enter(system);
	// What the clinic refuses, whatever the reason.
	const newId = await (async () => {
		clinic.setFault({ kind: 'http_500', match: 'Slot/' });
		const id = await patient.move(oldId, key);
		const [slot] = await system.database.sql<{ id: string }[]>`
			select s.source_slot_id as id from bookings b join slots s on s.id = b.slot_id
			where b.id = ${id}`;
		clinic.setSlotStatus(slot?.id ?? '', 'busy-unavailable');
		clinic.setFault(null);
		return id;
	})();
	await untilState(patient, newId, 'rejected');
	expect(await patient.look(oldId)).toMatchObject({ state: 'booked', changeRefused: null });
	expect(visitsOf(clinic)).toEqual(['booked']);
});
