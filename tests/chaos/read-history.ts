// What is left behind after a chaos run, read from the tables and from the clinic's book.
import type { Stage } from './stage.ts';
import type { Attempt, ClinicAppointment, History, LedgerBooking, LedgerHold } from './history.ts';

type HoldRow = Omit<LedgerHold, 'endedAt'> & {
	readonly expiresAt: number | null;
	readonly endedAt: number | null;
};

const readHolds = ({ sql }: Stage) =>
	sql<HoldRow[]>`
		select h.id, h.slot_id as "slotId", h.fence, h.device_key as device, h.state,
			extract(epoch from h.placed_at) * 1000 as "placedAt",
			case when isfinite(h.expires_at) then extract(epoch from h.expires_at) * 1000 end
				as "expiresAt",
			extract(epoch from h.ended_at) * 1000 as "endedAt",
			coalesce(array_agg(r.request_id::text) filter (where r.request_id is not null), '{}') as keys
		from holds h
		left join requests r on r.fingerprint = 'hold:' || h.slot_id
			and r.reply ->> 'id' = h.id::text and r.device_key = h.device_key
		group by h.id`;

const readBookings = ({ sql }: Stage) =>
	sql<LedgerBooking[]>`
		select b.id, b.hold_id as "holdId", b.slot_id as "slotId", b.device_key as device, b.state,
			coalesce(array_agg(r.request_id::text) filter (where r.request_id is not null), '{}') as keys
		from bookings b
		left join requests r on r.device_key = b.device_key and r.reply ->> 'id' = b.id::text
		group by b.id`;

const bookingOf = (identifiers: readonly string[]): string | null => {
	for (const identifier of identifiers) {
		const found = /urn:uuid:([0-9a-f-]{36})$/.exec(identifier)?.[1];
		if (found !== undefined) return found;
	}
	return null;
};

/** Expired holds end with their time, even when the sweep came a little later. */
const endOf = ({ state, expiresAt, endedAt }: HoldRow): number => {
	if (state === 'booked' || state === 'confirming') return Infinity;
	return Math.min(expiresAt ?? Infinity, endedAt ?? Infinity);
};

/** Also when each hold would have run out, ms since 1970: its own time to live, counted anew when extended. */
export const readHistory = async (
	stage: Stage,
	attempts: readonly Attempt[],
	slots: readonly { id: number; clinicId: string; places: number }[]
): Promise<{ history: History; expiries: ReadonlyMap<string, number> }> => {
	const clockOffsetMs = Date.now() - performance.now();
	const ours = new Map(slots.map(({ id, clinicId }) => [clinicId, id]));
	const holds = await readHolds(stage);
	const booked = stage.clinics.flatMap((clinic) => clinic.appointments());
	const appointments: ClinicAppointment[] = booked.map((made) => ({
		slotId: ours.get(made.slotId) ?? -1,
		bookingId: bookingOf(made.identifiers),
		isCancelled: made.status === 'cancelled'
	}));
	const expiries = new Map<string, number>();
	for (const { op, answer, answeredAt, outcome } of attempts) {
		const ttlMs = op === 'hold' && outcome === 'ok' ? answer?.ttlMs : null;
		if (!answer || typeof ttlMs !== 'number') continue;
		expiries.set(answer.id, answeredAt + ttlMs + clockOffsetMs);
	}
	return {
		history: {
			attempts,
			holds: holds.map((row) => ({
				id: row.id,
				slotId: row.slotId,
				fence: row.fence,
				device: row.device,
				state: row.state,
				placedAt: row.placedAt,
				endedAt: endOf(row),
				keys: row.keys
			})),
			bookings: await readBookings(stage),
			appointments,
			places: new Map(slots.map(({ id, places }) => [id, places])),
			clockOffsetMs
		},
		expiries
	};
};
