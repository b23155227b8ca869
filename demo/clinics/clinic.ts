// One clinic: its slots and its appointments under its own rules, whatever protocol asks. A slot is
// given to exactly one asker per place, and a repeated identifier never makes a second appointment.
import { randomUUID } from 'node:crypto';
import type { Result } from '#domain/result.ts';
import { ok, refuse } from '#domain/result.ts';
import type { SlotStatus } from './sessions.ts';
import type { Slot, SlotBook } from './slot-book.ts';
import { createSlotBook } from './slot-book.ts';
import type { Organisation } from './world.ts';

export type AppointmentStatus = 'booked' | 'pending' | 'cancelled';

export type Appointment = {
	readonly id: string;
	readonly slotId: string;
	readonly startAt: number;
	readonly status: AppointmentStatus;
	readonly via: 'fhir' | 'portal';
	/** `system|value` of the identifiers it came with. */
	readonly identifiers: readonly string[];
	/** The opaque handle of who sent the patient (`booking-referral`). */
	readonly referral: string | null;
	/** Who sent the patient (`source`). */
	readonly source: string | null;
	/** What was posted: the FHIR resource or the portal form; known to the clinic alone. */
	readonly content: Readonly<Record<string, unknown>>;
	readonly version: number;
	readonly updatedAt: number;
};

export type BookRequest = Pick<
	Appointment,
	'slotId' | 'via' | 'identifiers' | 'referral' | 'source' | 'content'
> & {
	status: 'booked' | 'pending';
	/** The name under which the asker may already hold the slot. */
	holder: string;
};

export type BookRefusal = 'slot_unknown' | 'slot_taken' | 'slot_past';

export type Clinic = {
	organisation: Organisation;
	/** The clinic's own clock, UTC ms; a fault may set it wrong. */
	now: () => number;
	slots: SlotBook;
	book: (request: BookRequest) => Result<Appointment, BookRefusal>;
	/** Keeps a free slot for `holder`; refused when it is not free to them. */
	hold: (slotId: string, holder: string, forMs: number) => Result<Slot, BookRefusal>;
	/** Sets a status by hand, as the front desk would. */
	setSlotStatus: (slotId: string, status: SlotStatus) => Result<Slot, 'slot_unknown'>;
	changeAppointment: (
		id: string,
		status: AppointmentStatus,
		content?: Appointment['content']
	) => Result<Appointment, 'appointment_unknown' | 'move_forbidden'>;
	appointment: (id: string) => Appointment | undefined;
	appointments: () => readonly Appointment[];
	/** True when an appointment that is not cancelled stands on the slot. */
	isKept: (slotId: string) => boolean;
	/** Takes over appointments of an earlier run. */
	remember: (appointments: readonly Appointment[]) => void;
	/** Frees tentative slots whose time has run out. */
	releaseLapsed: () => number;
};

const APPOINTMENT_LIMIT = 50_000;

const isOpenTo = (slot: Slot, holder: string, now: number): boolean => {
	if (slot.status === 'free') return true;
	if (slot.status !== 'busy-tentative') return false;
	return slot.heldBy === holder || (slot.heldUntil !== null && slot.heldUntil <= now);
};

const decideTake = (
	slot: Slot | undefined,
	holder: string,
	now: number
): Result<Slot, BookRefusal> => {
	if (slot === undefined) return refuse('slot_unknown');
	if (slot.startAt <= now) return refuse('slot_past');
	return isOpenTo(slot, holder, now) ? ok(slot) : refuse('slot_taken');
};

/** What becomes of the slot when one of its places is taken. */
const afterTaking = (slot: Slot, status: 'booked' | 'pending') => {
	const left = Math.max(0, Math.max(1, slot.left) - 1);
	if (left > 0) return { status: 'free' as const, left };
	const taken = status === 'booked' ? ('busy' as const) : ('busy-tentative' as const);
	return { status: taken, left, heldBy: null, heldUntil: null };
};

/** Creates one clinic over its share of the world. */
export const createClinic = (organisation: Organisation, now: () => number): Clinic => {
	const slots = createSlotBook(organisation.slots, now);
	const kept = new Map<string, Appointment>();
	const standing = new Map<string, number>();
	const isKept = (slotId: string): boolean => (standing.get(slotId) ?? 0) > 0;
	const keep = (before: Appointment | undefined, after: Appointment): void => {
		const stood = before !== undefined && before.status !== 'cancelled' ? 1 : 0;
		const stands = after.status === 'cancelled' ? 0 : 1;
		standing.set(after.slotId, (standing.get(after.slotId) ?? 0) + stands - stood);
		kept.set(after.id, after);
	};
	const giveBack = (slotId: string): void => {
		const slot = slots.get(slotId);
		if (slot === undefined) return;
		slots.patch(slotId, { status: 'free', left: Math.min(slot.capacity, slot.left + 1) });
	};
	return {
		organisation,
		now,
		slots,
		isKept,
		book: (request) => {
			const taken = decideTake(slots.get(request.slotId), request.holder, now());
			if (!taken.ok) return taken;
			if (kept.size >= APPOINTMENT_LIMIT) throw new Error('too many appointments for a simulation');
			const { holder: _, ...facts } = request;
			const appointment: Appointment = {
				...facts,
				id: randomUUID(),
				startAt: taken.value.startAt,
				version: 1,
				updatedAt: now()
			};
			keep(undefined, appointment);
			slots.patch(request.slotId, afterTaking(taken.value, request.status));
			return ok(appointment);
		},
		hold: (slotId, holder, forMs) => {
			const taken = decideTake(slots.get(slotId), holder, now());
			if (!taken.ok) return taken;
			const heldUntil = now() + forMs;
			const held = slots.patch(slotId, { status: 'busy-tentative', heldBy: holder, heldUntil });
			return held.ok ? held : refuse('slot_unknown');
		},
		setSlotStatus: (slotId, status) => slots.patch(slotId, { status }),
		changeAppointment: (id, status, content) => {
			const before = kept.get(id);
			if (before === undefined) return refuse('appointment_unknown');
			if (before.status === 'cancelled' && status !== 'cancelled') return refuse('move_forbidden');
			const after: Appointment = {
				...before,
				status,
				content: content ?? before.content,
				version: before.version + 1,
				updatedAt: now()
			};
			keep(before, after);
			if (status === 'cancelled' && before.status !== 'cancelled') giveBack(before.slotId);
			if (status === 'booked' && before.status === 'pending') {
				const slot = slots.get(before.slotId);
				if (slot?.status === 'busy-tentative') slots.patch(slot.id, { status: 'busy' });
			}
			return ok(after);
		},
		appointment: (id) => kept.get(id),
		appointments: () => [...kept.values()],
		remember: (appointments) => {
			for (const appointment of appointments) keep(undefined, appointment);
		},
		releaseLapsed: () => {
			const at = now();
			const lapsed = slots
				.sorted()
				.filter((slot) => slot.heldUntil !== null && slot.heldUntil <= at && !isKept(slot.id));
			for (const slot of lapsed) slots.patch(slot.id, { status: 'free' });
			return lapsed.length;
		}
	};
};
