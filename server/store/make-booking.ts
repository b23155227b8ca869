// A booking made of a held place: the claim is kept under its own fence and the row inserted, with
// the constraints of the table as the last word. Used by confirming and by moving a visit.
import type { BookingState } from '#domain/booking.ts';
import type { VisitKind } from '#domain/codes.ts';
import type { HoldState } from '#domain/hold.ts';
import type { BookingId, DeviceKey, HoldId, PatientId, SlotId } from '#domain/ids.ts';
import type { Tx } from '../platform/postgres.ts';
import { moveSlot } from './bookings.ts';

export type BookingRequest = {
	readonly device: DeviceKey;
	readonly holdId: HoldId;
	readonly kind: VisitKind | null;
	/** Id of what is to be made. */
	readonly bookingId: BookingId;
	readonly patientId: PatientId;
	/** Whether the patient gave an e-mail address; a moved visit has that of the old one. */
	readonly hasEmail: boolean;
	/** Keyed digest of who it is (H42); a moved visit has that of the old one. */
	readonly person: string | null;
	/** The visit that this one takes the place of once the clinic has booked it; null = none. */
	readonly replaces: BookingId | null;
	/** The publisher's page for a slot, with our referral; null when there is none to link to. */
	readonly linkOf: (bookUrl: string | null) => string | null;
	/** How long a handed-over place stays claimed unless its source speaks first, ms. */
	readonly handOverMs: number;
};

export type HeldRow = {
	state: HoldState;
	isOver: boolean;
	fence: number;
	slotId: SlotId;
	bookingId: BookingId | null;
	bookingState: BookingState | null;
};

export const lockHold = async (
	tx: Tx,
	asked: Pick<BookingRequest, 'device' | 'holdId'>
): Promise<HeldRow | undefined> => {
	const [row] = await tx<HeldRow[]>`
		select h.state, h.expires_at <= clock_timestamp() as "isOver", h.fence,
			h.slot_id as "slotId", b.id as "bookingId", b.state as "bookingState"
		from holds h left join bookings b on b.hold_id = h.id
		where h.id = ${asked.holdId} and h.device_key = ${asked.device}
		for update of h`;
	return row;
};

type PlaceRow = {
	booking: 'fhir' | 'link' | 'phone';
	capacity: number;
	bookUrl: string | null;
};

/** Keeps the claim of this very fence, for good or until the publisher has had its time. */
export const keepClaim = async (
	tx: Tx,
	hold: HeldRow,
	asked: BookingRequest
): Promise<PlaceRow | undefined> => {
	const [row] = await tx<PlaceRow[]>`
		with place as (
			select s.id, o.booking,
				case when o.booking = 'fhir' then 'infinity'::timestamptz
					else clock_timestamp() + ${asked.handOverMs} * interval '1 millisecond' end as until
			from slots s join sources o on o.id = s.source_id
			where s.id = ${hold.slotId}
		), kept as (
			update slots s
			set claim_untils = (
					select array_agg(case when c.fence = ${hold.fence} then place.until else c.until end
						order by c.fence)
					from unnest(s.claim_fences, s.claim_untils) as c (fence, until)
				),
				claim_fences = (select array_agg(c.fence order by c.fence)
					from unnest(s.claim_fences) as c (fence)),
				own_changed_at = clock_timestamp()
			from place
			where s.id = place.id and ${hold.fence} = any (s.claim_fences)
			returning place.booking, place.until, s.capacity, s.book_url
		), moved as (
			update holds set state = 'confirming', expires_at = kept.until
			from kept where holds.id = ${asked.holdId}
		)
		select booking, capacity, book_url as "bookUrl" from kept`;
	return row;
};

/**
 * K13: a booking that its source has shown as taken, and whose time the source then listed free
 * again, no longer stands in the way: the clinic is asked and decides.
 */
export const yieldToSource = async (tx: Tx, slotId: SlotId): Promise<void> => {
	// A booking that is just being settled is left to that: waiting for it here could be a ring.
	await tx`
		update bookings set exclusive = false
		where id in (
			select b.id from bookings b join slots s on s.id = b.slot_id
			where s.id = ${slotId} and b.state = 'booked' and b.exclusive
				and s.status = 'free' and not b.fence = any (s.claim_fences)
			for update of b skip locked
		)`;
};

type NewBooking = { readonly state: BookingState; readonly linkUrl: string | null };

const insertBooking = async (
	tx: Tx,
	asked: BookingRequest,
	place: PlaceRow,
	made: NewBooking
): Promise<void> => {
	const isRejected = made.state === 'rejected';
	await tx`
		insert into bookings (id, hold_id, slot_id, fence, schedule_id, source_id, patient_id,
			device_key, state, kind, starts_at, ends_at, exclusive, rejected_because, link_url, phone,
			settled_at, replaces, has_email, person)
		select ${asked.bookingId}, h.id, s.id, h.fence, s.schedule_id, s.source_id,
			${asked.patientId},
			coalesce((select o.device_key from bookings o where o.id = ${asked.replaces}), h.device_key),
			${made.state}, ${asked.kind}, s.starts_at,
			s.ends_at, ${place.capacity === 1}, ${isRejected ? 'slot_taken' : null}, ${made.linkUrl},
			s.book_phone, case when ${isRejected} then clock_timestamp() end, ${asked.replaces},
			coalesce((select o.has_email from bookings o where o.id = ${asked.replaces}), ${asked.hasEmail}),
			coalesce((select o.person from bookings o where o.id = ${asked.replaces}), ${asked.person})
		from holds h join slots s on s.id = h.slot_id
		where h.id = ${asked.holdId}`;
};

/** unique_violation, exclusion_violation: another live booking has the slot or the time. */
const isTaken = (error: unknown): boolean =>
	error instanceof Error && 'code' in error && ['23505', '23P01'].includes(String(error.code));

/**
 * K4: the constraints below the holds have the last word: when another live booking already has
 * this slot or overlaps this time, the booking is made as refused, and the place is given up.
 */
export const makeBooking = async (
	tx: Tx,
	asked: BookingRequest,
	hold: HeldRow,
	place: PlaceRow
): Promise<BookingState> => {
	const isFhir = place.booking === 'fhir';
	const linkUrl = place.booking === 'link' ? asked.linkOf(place.bookUrl) : null;
	const wanted: NewBooking = { state: isFhir ? 'confirming' : 'handed_over', linkUrl };
	try {
		await tx.savepoint((inner) => insertBooking(inner, asked, place, wanted));
		return wanted.state;
	} catch (error) {
		if (!isTaken(error)) throw error;
		await insertBooking(tx, asked, place, { state: 'rejected', linkUrl: null });
		await tx`
			update holds set state = 'rejected', ended_at = clock_timestamp()
			where id = ${asked.holdId}`;
		const lost = { slotId: hold.slotId, fence: hold.fence, exclusive: place.capacity === 1 };
		await moveSlot(tx, lost, { state: 'rejected', because: 'slot_taken' });
		return 'rejected';
	}
};
