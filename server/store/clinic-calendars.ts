// Clinics' calendars in Postgres: which address is whose, and the visits that stand in it. Times
// and practitioners only: no patient is read here.
import type { BookingState } from '#domain/booking.ts';
import type { VisitKind } from '#domain/codes.ts';
import type { BookingId, SourceId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import { appendAudit, type AuditAction } from './audit.ts';

const noteAct = async (tx: Tx, source: SourceId, action: AuditAction): Promise<void> => {
	const [row] = await tx<{ key: string }[]>`select key from sources where id = ${source}`;
	if (row !== undefined) await appendAudit(tx, `clinic:${source}`, action, [`source:${row.key}`]);
};

const endOpen = async (tx: Tx, source: SourceId): Promise<boolean> => {
	// Two tabs at once: the second waits and ends what the first has made.
	await tx`select 1 from sources where id = ${source} for no key update`;
	const ended = await tx`
		update clinic_calendars set ended_at = clock_timestamp()
		where source_id = ${source} and ended_at is null returning 1`;
	return ended.length > 0;
};

/** K23: from now on only the address of this hash works. */
export const keepCalendar = (sql: Sql, source: SourceId, tokenHash: Buffer): Promise<void> =>
	sql.begin<void>(async (tx) => {
		await endOpen(tx, source);
		await tx`insert into clinic_calendars (token_hash, source_id) values (${tokenHash}, ${source})`;
		await noteAct(tx, source, 'calendar_made');
	});

/** False = there was none to end. */
export const endCalendar = (sql: Sql, source: SourceId): Promise<boolean> =>
	sql.begin<boolean>(async (tx) => {
		const isEnded = await endOpen(tx, source);
		if (isEnded) await noteAct(tx, source, 'calendar_ended');
		return isEnded;
	});

/** Since when the clinic's calendar has an address; null = it has none. */
export const readCalendarSince = async (
	sql: Queryable,
	source: SourceId
): Promise<Instant | null> => {
	const [row] = await sql<{ at: Instant }[]>`
		select made_at as at from clinic_calendars where source_id = ${source} and ended_at is null`;
	return row?.at ?? null;
};

type FoundCalendar = {
	readonly source: SourceId;
	readonly madeAt: Instant;
	readonly isEnded: boolean;
};

export const findCalendar = async (
	sql: Queryable,
	tokenHash: Buffer
): Promise<FoundCalendar | null> => {
	const [row] = await sql<FoundCalendar[]>`
		select source_id as source, made_at as "madeAt", ended_at is not null as "isEnded"
		from clinic_calendars where token_hash = ${tokenHash}`;
	return row ?? null;
};

/** One visit as a clinic's calendar shows it. */
export type CalendarVisit = {
	readonly bookingId: BookingId;
	readonly calendarUid: string;
	readonly sequence: number;
	readonly state: BookingState;
	readonly startsAt: Instant;
	readonly endsAt: Instant;
	readonly zone: string;
	readonly kind: VisitKind | null;
	readonly practitionerName: string;
	/** When it last moved on. */
	readonly changedAt: Instant;
};

/** More visits than this do not stand in a calendar: the soonest do. */
const MAX_VISITS = 2_000;
/** A clinic refused or never had these: they are no visits. */
const shown: readonly BookingState[] = [
	'confirming',
	'unconfirmed',
	'booked',
	'handed_over',
	'cancelled'
];

/** From a week ago on, soonest first; cancelled ones stay, so that calendars take them out. */
export const readCalendarVisits = (sql: Queryable, source: SourceId): Promise<CalendarVisit[]> =>
	sql<CalendarVisit[]>`
		select b.id as "bookingId", coalesce(b.calendar_uid, b.id) as "calendarUid", b.sequence,
			b.state, b.starts_at as "startsAt", b.ends_at as "endsAt", c.zone, b.kind,
			c.practitioner_name as "practitionerName",
			greatest(b.created_at, b.settled_at) as "changedAt"
		from bookings b join schedules c on c.id = b.schedule_id
		where b.source_id = ${source} and b.state = any (${[...shown]})
			and b.ends_at > clock_timestamp() - interval '7 days'
			-- A visit that moved keeps its UID at its new time.
			and not exists (select 1 from bookings n
				where n.replaces = b.id and n.state = 'booked')
		order by b.starts_at, b.id limit ${MAX_VISITS}`;
