// What a clinic's console shows: its bookings, what is held now, and how its next days fill up.
// Ids and times here; who the patient is comes from store/patients.ts.
import type { BookingState, ClinicBooking, ClinicDay, ClinicSnapshot } from '#domain/booking.ts';
import type { BookingId, PatientId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql } from '../platform/postgres.ts';
import { logClinicBooking } from './booking-log.ts';

export type ClinicSource = { readonly name: string; readonly zone: string };

/** The clinic's zone: what the operator noted, else its practitioners' most common one. */
export const readClinicSource = async (
	sql: Queryable,
	id: SourceId
): Promise<ClinicSource | undefined> => {
	const [row] = await sql<ClinicSource[]>`
		select o.name, coalesce(
			o.notes ->> 'zone',
			(select mode() within group (order by c.zone) from schedules c where c.source_id = o.id),
			'UTC'
		) as zone
		from sources o where o.id = ${id}`;
	return row;
};

export type ClinicBookingRow = Omit<
	ClinicBooking,
	'patientLabel' | 'phone' | 'reason' | 'forWhom'
> & {
	readonly patientId: PatientId;
};

/** Bookings on one console; older ones that were seen are history. */
export const MAX_CLINIC_BOOKINGS = 200;
const shownStates: BookingState[] = ['confirming', 'booked', 'unconfirmed', 'handed_over'];
/** J4: a cancelled visit is news until the clinic has seen it. */
const isNews = (sql: Queryable) => sql`b.state = 'cancelled' and b.acknowledged_at is null`;

/** Not seen yet first, then by time of the visit; visits that ended a day ago are not shown. */
export const readClinicBookings = (sql: Queryable, id: SourceId): Promise<ClinicBookingRow[]> =>
	sql<ClinicBookingRow[]>`
		select b.id as "bookingId", b.shown_state as state, b.slot_id as "slotId", b.schedule_id as "scheduleId",
			c.practitioner_name as "practitionerName", c.zone, b.starts_at as "startsAt",
			b.ends_at as "endsAt", b.kind, b.created_at as "arrivedAt",
			b.acknowledged_at as "acknowledgedAt", b.patient_id as "patientId",
			exists (select 1 from bookings n where n.replaces = b.id and n.state = 'booked')
				as "isMoved"
		from bookings b join schedules c on c.id = b.schedule_id
		where b.source_id = ${id} and (b.state = any (${shownStates}) or ${isNews(sql)})
			and b.ends_at > clock_timestamp() - interval '1 day'
		order by b.acknowledged_at is not null, b.starts_at, b.id
		limit ${MAX_CLINIC_BOOKINGS}`;

export const readHeldNow = (sql: Queryable, id: SourceId): Promise<ClinicSnapshot['heldNow']> =>
	sql<ClinicSnapshot['heldNow'][number][]>`
		select s.id as "slotId", s.schedule_id as "scheduleId",
			c.practitioner_name as "practitionerName", s.starts_at as "startsAt"
		from holds h
		join slots s on s.id = h.slot_id
		join schedules c on c.id = s.schedule_id
		where h.state = 'held' and h.expires_at > clock_timestamp() and s.source_id = ${id}
		order by s.starts_at, s.id limit 200`;

/** Today and the next six days by the clinic's calendar. Open and held: only what is to come. */
export const readClinicDays = (sql: Queryable, id: SourceId, zone: string): Promise<ClinicDay[]> =>
	sql<ClinicDay[]>`
		with today as (
			select (clock_timestamp() at time zone ${zone})::date as day
		), week as (
			select (today.day + n) as day from today, generate_series(0, 6) n
		), seen as (
			select (s.starts_at at time zone ${zone})::date as day,
				s.starts_at > clock_timestamp() as is_ahead, s.removed_at is not null as is_removed,
				case when c.hidden @> s.starts_at and s.claim_untils = '{}' and s.status = 'free' then 0
					else slot_state(s.status, s.remaining, case when s.claim_untils = '{}' then 0
						else live_claims(s.claim_untils, clock_timestamp()) end, false) end as state
			from slots s join schedules c on c.id = s.schedule_id, today
			where s.source_id = ${id}
				and s.starts_at >= (today.day::timestamp at time zone ${zone})
				and s.starts_at < ((today.day + 7)::timestamp at time zone ${zone})
				and (s.removed_at is null or s.taken_at is not null)
		)
		select to_char(week.day, 'YYYY-MM-DD') as date,
			count(*) filter (where seen.state = 1 and seen.is_ahead and not seen.is_removed) as open,
			count(*) filter (where seen.state = 2 and seen.is_ahead and not seen.is_removed) as held,
			count(*) filter (where seen.state = 3 or seen.is_removed) as taken
		from week left join seen on seen.day = week.day
		group by week.day order by week.day`;

/** Notes that the clinic has seen a booking; null when it is not this clinic's. */
export const acknowledgeBooking = (
	sql: Sql,
	source: SourceId,
	bookingId: BookingId
): Promise<RoomEntry<unknown>[] | null> =>
	sql.begin(async (tx) => {
		const [row] = await tx<{ wasSeen: boolean; at: Instant }[]>`
			with seen as (
				select id, acknowledged_at from bookings
				where id = ${bookingId} and source_id = ${source} for update
			)
			update bookings b set acknowledged_at = coalesce(b.acknowledged_at, clock_timestamp())
			from seen where b.id = seen.id
			returning seen.acknowledged_at is not null as "wasSeen", b.acknowledged_at as at`;
		if (row === undefined) return null;
		return row.wasSeen ? [] : await logClinicBooking(tx, bookingId, { slots: [] });
	});
