// What the owner of a booking sees of it.
import type { BookingView, ComingVisit } from '#domain/booking.ts';
import type { BookingId, DeviceKey } from '#domain/ids.ts';
import type { Queryable } from '../platform/postgres.ts';

const other = (sql: Queryable, which: ReturnType<Queryable>) => sql`
	(select jsonb_build_object('id', o.id, 'state', o.shown_state,
			'startsAt', (extract(epoch from o.starts_at) * 1000)::bigint,
			'changeRefused', o.change_refused)
		from bookings o where ${which} order by o.created_at desc limit 1)`;

/** The view of the booking `b` that meets a condition; null when there is none. */
export const readViewOf = async (
	sql: Queryable,
	condition: ReturnType<Queryable>
): Promise<BookingView | null> => {
	const [row] = await sql<BookingView[]>`
		select b.id, b.hold_id as "holdId", b.slot_id as "slotId", b.schedule_id as "scheduleId",
			b.shown_state as state, b.starts_at as "startsAt", b.ends_at as "endsAt", b.kind,
			c.practitioner_name as "practitionerName",
			c.organization_name as "organizationName", c.zone,
			coalesce(b.phone, c.phone) as phone, b.join_url as "joinUrl", b.link_url as "linkUrl",
			b.rejected_because as "rejectedBecause", b.change_refused as "changeRefused",
			${other(sql, sql`o.id = b.replaces`)} as "replaces",
			${other(sql, sql`o.replaces = b.id`)} as "movedTo",
			(select case when m.sent_at is not null then 'sent'
					when m.dropped_at is null then 'coming' end
				from mails m where m.booking_id = b.id order by m.created_at desc limit 1) as mail,
			coalesce(b.calendar_uid, b.id) as "calendarUid", b.sequence
		from bookings b join schedules c on c.id = b.schedule_id
		where ${condition}`;
	return row ?? null;
};

/** The owner's view of a booking; null when the device is not the patient's. */
export const readBookingView = (
	sql: Queryable,
	device: DeviceKey,
	bookingId: BookingId
): Promise<BookingView | null> =>
	readViewOf(sql, sql`b.id = ${bookingId} and is_of_device(b.id, b.device_key, ${device})`);

/** The visits of a device that are not over and not off, soonest first, at most 20. */
export const readComingVisits = (sql: Queryable, device: DeviceKey): Promise<ComingVisit[]> =>
	sql<ComingVisit[]>`
		select b.id, b.shown_state as state, c.zone,
			(extract(epoch from b.starts_at) * 1000)::bigint as "startsAt"
		from bookings b join schedules c on c.id = b.schedule_id
		where b.device_key = ${device} and b.ends_at > clock_timestamp()
			and b.shown_state not in ('rejected', 'cancelled')
		order by b.starts_at, b.id limit 20`;
