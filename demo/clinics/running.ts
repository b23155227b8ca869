// One simulated clinic as those see it who steer it: tests, the demo and the control port.
import type { Appointment, Clinic } from './clinic.ts';
import type { BurstRequest } from './driver.ts';
import type { FaultKind, FaultRequest, Faults } from './faults.ts';
import { FHIR_PATH } from './fhir/context.ts';
import { MANIFEST_PATH } from './links/server.ts';
import type { OperatorNotes } from './operator-notes.ts';
import { operatorNotesOf } from './operator-notes.ts';
import type { ClinicKind, Profile } from './profiles.ts';
import type { Served } from './serve.ts';
import type { SlotStatus } from './sessions.ts';
import type { Slot, SlotChange } from './slot-book.ts';
import { formats } from './small/formats.ts';
import type { Organisation } from './world.ts';

export type ClinicTruth = {
	slots: readonly Slot[];
	appointments: readonly Appointment[];
	counts: Readonly<Partial<Record<SlotStatus, number>>>;
};

export type RunningClinic = {
	key: string;
	name: string;
	kind: ClinicKind;
	/** The manifest, the FHIR base, the calendar: what an operator enters. */
	url: string;
	operatorNotes: OperatorNotes;
	organisation: Organisation;
	/** Starts a fault; null ends all, a kind alone can be ended with `clearFault`. */
	setFault: (fault: FaultRequest | null) => void;
	clearFault: (kind: FaultKind) => void;
	/** Sets a status by hand, or takes the slot out of the calendar; false for an unknown id. */
	setSlotStatus: (slotId: string, status: SlotStatus | 'removed') => boolean;
	/** The desk cancels a visit and its time is free again; false when no such visit stands. */
	cancelAppointment: (id: string) => boolean;
	burst: (request: BurstRequest) => string[];
	appointments: () => readonly Appointment[];
	truth: () => ClinicTruth;
	/** Calls for every change of a slot, right after it. */
	listen: (listener: (change: SlotChange) => void) => void;
	standingFaults: () => readonly FaultRequest[];
};

export type Opened = { clinic: Clinic; faults: Faults; served: Served };

const countByStatus = (slots: readonly Slot[]): ClinicTruth['counts'] => {
	const counts: Partial<Record<SlotStatus, number>> = {};
	for (const { status } of slots) counts[status] = (counts[status] ?? 0) + 1;
	return counts;
};

const pathOf = (speaks: Profile['speaks']): string => {
	switch (speaks.kind) {
		case 'fhir-slots':
			return FHIR_PATH;
		case 'smart-scheduling-links':
			return MANIFEST_PATH;
		default:
			return formats[speaks.format].path;
	}
};

/** The steering wheel of an opened clinic. */
export const toRunning = (
	{ clinic, faults, served }: Opened,
	burst: RunningClinic['burst']
): RunningClinic => {
	const { organisation } = clinic;
	const { key, name, speaks } = organisation.profile;
	return {
		key,
		name,
		kind: speaks.kind,
		url: served.url + pathOf(speaks),
		operatorNotes: operatorNotesOf(organisation),
		organisation,
		setFault: (fault) => (fault === null ? faults.clear() : faults.set(fault)),
		clearFault: faults.clear,
		setSlotStatus: (slotId, status) =>
			status === 'removed'
				? clinic.slots.remove(slotId).ok
				: clinic.setSlotStatus(slotId, status).ok,
		cancelAppointment: (id) =>
			clinic.appointment(id)?.status !== 'cancelled' &&
			clinic.changeAppointment(id, 'cancelled').ok,
		burst,
		appointments: clinic.appointments,
		truth: () => {
			const slots = clinic.slots.sorted();
			return { slots, appointments: clinic.appointments(), counts: countByStatus(slots) };
		},
		listen: clinic.slots.listen,
		standingFaults: faults.standing
	};
};
