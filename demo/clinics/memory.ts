// What a clinic remembers over a restart of the simulation: its appointments and the statuses of
// its slots. One JSON file per clinic; a file that cannot be read is an empty memory.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Appointment, Clinic } from './clinic.ts';
import type { SlotStatus } from './sessions.ts';

type Memory = {
	slots: (readonly [id: string, status: SlotStatus, left: number])[];
	appointments: Appointment[];
};

const fileOf = (folder: string, clinic: Clinic): string =>
	join(folder, `${clinic.organisation.profile.key}.json`);

const revisions = new WeakMap<Clinic, number>();

/** Writes what changed since the last time, whole or not at all. */
export const saveState = (folder: string, clinic: Clinic): void => {
	if (revisions.get(clinic) === clinic.slots.revision()) return;
	revisions.set(clinic, clinic.slots.revision());
	mkdirSync(folder, { recursive: true });
	const memory: Memory = {
		slots: clinic.slots.sorted().map(({ id, status, left }) => [id, status, left]),
		appointments: [...clinic.appointments()]
	};
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

/** Brings back what was saved; slots that exist no more are left out. */
export const loadState = (folder: string, clinic: Clinic): void => {
	const memory = readMemory(fileOf(folder, clinic));
	for (const [id, status, left] of memory.slots) {
		const slot = clinic.slots.get(id);
		const settled = status === 'busy-tentative' ? 'free' : status;
		if (slot !== undefined && (slot.status !== settled || slot.left !== left)) {
			clinic.slots.patch(id, {
				status: settled,
				left: settled === 'free' ? Math.max(1, left) : left
			});
		}
	}
	clinic.remember(memory.appointments);
};
