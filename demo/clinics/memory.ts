// What a clinic remembers over a restart of the simulation: its appointments and its slots as they
// stood. One JSON file per clinic; a file that cannot be read is an empty memory.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Appointment, Clinic } from './clinic.ts';
import type { WorldSlot } from './sessions.ts';

type Memory = { slots: WorldSlot[]; appointments: Appointment[] };

const fileOf = (folder: string, clinic: Clinic): string =>
	join(folder, `${clinic.organisation.profile.key}.json`);

const saved = new WeakMap<Clinic, number>();

/** Writes what changed since the last time, whole or not at all. */
export const saveState = (folder: string, clinic: Clinic): void => {
	const revision = clinic.slots.revision();
	if (saved.get(clinic) === revision) return;
	saved.set(clinic, revision);
	mkdirSync(folder, { recursive: true });
	const slots = clinic.slots.sorted().map((slot): WorldSlot => {
		const { id, practitionerId, startAt, endAt, capacity, left, status } = slot;
		return { id, practitionerId, startAt, endAt, capacity, left, status };
	});
	const memory: Memory = { slots, appointments: [...clinic.appointments()] };
	const file = fileOf(folder, clinic);
	writeFileSync(`${file}.new`, JSON.stringify(memory), { mode: 0o600 });
	renameSync(`${file}.new`, file);
};

const readMemory = (file: string): Memory => {
	try {
		return JSON.parse(readFileSync(file, 'utf8'));
	} catch {
		return { slots: [], appointments: [] };
	}
};

/** Brings back what was saved. Holds are let go; times gone by stay forgotten. */
export const loadState = (folder: string, clinic: Clinic): void => {
	const memory = readMemory(fileOf(folder, clinic));
	const people = new Set(clinic.organisation.practitioners.map(({ id }) => id));
	const awaited = new Set(memory.appointments.map(({ slotId }) => slotId));
	const kept = memory.slots
		.filter((slot) => slot.startAt > clinic.now() && people.has(slot.practitionerId))
		.map((slot): WorldSlot => {
			if (slot.status !== 'busy-tentative' || awaited.has(slot.id)) return slot;
			return { ...slot, status: 'free', left: Math.max(1, slot.left) };
		});
	clinic.slots.add(kept);
	for (const { id, status, left } of kept) {
		const slot = clinic.slots.get(id);
		if (slot === undefined || (slot.status === status && slot.left === left)) continue;
		clinic.slots.patch(id, { status, left });
	}
	clinic.remember(memory.appointments);
};
