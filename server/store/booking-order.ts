// One booking as a worker needs it to speak to the clinic: the source, the slot and the patient,
// whose details are opened here and whose reading is audited.
import type { BookingState, PatientDetails } from '#domain/booking.ts';
import type { VisitKind } from '#domain/codes.ts';
import type { BookingId, PatientId } from '#domain/ids.ts';
import { SourceSettings } from '#domain/source.ts';
import type { Instant } from '#domain/time.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import type { Actor } from './audit.ts';
import { actAs, readPatients } from './patients.ts';

/** All a connector needs to book or to look a booking up. `order` misses only the signal. */
export type StoredOrder = {
	readonly state: BookingState;
	readonly attempts: number;
	readonly createdAt: Instant;
	readonly order: {
		readonly source: SourceSettings;
		readonly bookingId: BookingId;
		readonly sourceSlotId: string;
		readonly scheduleKey: string;
		readonly startsAt: Instant;
		readonly endsAt: Instant;
		readonly kind: VisitKind | null;
		readonly patient: PatientDetails;
	};
};

type OrderRow = {
	state: BookingState;
	attempts: number;
	createdAt: Instant;
	patientId: PatientId;
	source: unknown;
	sourceSlotId: string;
	scheduleKey: string;
	startsAt: Instant;
	endsAt: Instant;
	kind: VisitKind | null;
};

const readOrderRow = async (tx: Tx, bookingId: BookingId): Promise<OrderRow | undefined> => {
	const [row] = await tx<OrderRow[]>`
		select b.state, b.attempts, b.created_at as "createdAt", b.patient_id as "patientId",
			jsonb_build_object(
				'key', o.key, 'name', o.name, 'kind', o.kind, 'url', o.url, 'notes', o.notes,
				'minIntervalMs', o.min_interval_ms, 'freshForMs', o.fresh_for_ms,
				'windowMs', o.window_ms, 'allowPrivate', o.allow_private, 'booking', o.booking
			) as source,
			s.source_slot_id as "sourceSlotId", c.key as "scheduleKey",
			b.starts_at as "startsAt", b.ends_at as "endsAt", b.kind
		from bookings b
		join slots s on s.id = b.slot_id
		join schedules c on c.id = b.schedule_id
		join sources o on o.id = b.source_id
		where b.id = ${bookingId}`;
	return row;
};

/**
 * Reads what must be sent to the clinic, patient included (audited). Null when there is no such
 * unsettled booking. Throws PhiUnreadable when the patient's row was tampered with.
 */
export const readBookingOrder = (
	sql: Sql,
	phi: PhiCipher,
	bookingId: BookingId,
	actor: Actor
): Promise<StoredOrder | null> =>
	sql.begin(async (tx) => {
		await actAs(tx, actor);
		const row = await readOrderRow(tx, bookingId);
		if (row === undefined) return null;
		const patient = (await readPatients(tx, phi, actor, [row.patientId])).get(row.patientId);
		if (patient === undefined) return null;
		const { state, attempts, createdAt, patientId: _patientId, source, ...rest } = row;
		const order = { ...rest, bookingId, source: SourceSettings.parse(source), patient };
		return { state, attempts, createdAt, order };
	});
