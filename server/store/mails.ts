// The e-mails that are to be sent: noted in the transaction of what they tell of, lent to one worker
// at a time, and marked when the mail server has taken them.
import type { BookingView, MailKind } from '#domain/booking.ts';
import type { BookingId, MailId, PatientId } from '#domain/ids.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import { readViewOf } from './booking-view.ts';
import { actAs, readPatients } from './patients.ts';

/**
 * J21: notes an e-mail about a booking that has just moved on; null when there is nobody to tell, or
 * when it is the old visit of a move, of which the new one tells.
 */
export const noteMail = async (
	tx: Tx,
	bookingId: BookingId,
	state: 'booked' | 'cancelled'
): Promise<MailId | null> => {
	const [row] = await tx<{ id: MailId }[]>`
		insert into mails (booking_id, kind)
		select b.id, case when ${state} = 'booked' and b.replaces is not null then 'moved'
			else ${state} end
		from bookings b
		where b.id = ${bookingId} and b.has_email and not exists (
			select 1 from bookings n where n.replaces = b.id and n.state = 'booked'
		)
		on conflict (booking_id, kind) do nothing
		returning id`;
	return row?.id ?? null;
};

/** A new one is left to its own job for so long before the loop looks for it, s. */
const LOOP_AFTER_S = 5;

const isOpen = (sql: Queryable) => sql`sent_at is null and dropped_at is null`;

const lend = (sql: Queryable, leaseMs: number) => sql`
	attempts = attempts + 1,
	next_attempt_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'`;

/** J22: lends one e-mail that is due; false = sent, given up, or with somebody else. */
export const claimMail = async (sql: Queryable, id: MailId, leaseMs: number): Promise<boolean> => {
	const rows = await sql`
		update mails set ${lend(sql, leaseMs)}
		where id = ${id} and ${isOpen(sql)} and next_attempt_at <= clock_timestamp()
		returning id`;
	return rows.length > 0;
};

/** E-mails that are due and that no job has taken. */
export const claimMails = async (
	sql: Queryable,
	{ limit, leaseMs }: { readonly limit: number; readonly leaseMs: number }
): Promise<MailId[]> => {
	const rows = await sql<{ id: MailId }[]>`
		update mails set ${lend(sql, leaseMs)}
		where id in (
			select id from mails
			where ${isOpen(sql)} and next_attempt_at <= clock_timestamp()
				and created_at < clock_timestamp() - ${LOOP_AFTER_S} * interval '1 second'
			order by next_attempt_at limit ${limit} for update skip locked
		)
		returning id`;
	return rows.map(({ id }) => id);
};

export type StoredMail = {
	readonly kind: MailKind;
	readonly attempts: number;
	readonly booking: BookingView;
	/** Opened for this one sending; null = the patient has been erased. */
	readonly to: string | null;
};

/** Reads what is to be sent, the address decrypted (audited). Null when it is not open any more. */
export const readMail = (sql: Sql, phi: PhiCipher, id: MailId): Promise<StoredMail | null> =>
	sql.begin(async (tx) => {
		const actor = 'worker:send-mail' as const;
		await actAs(tx, actor);
		const [row] = await tx<
			{ kind: MailKind; attempts: number; bookingId: BookingId; patientId: PatientId }[]
		>`
			select m.kind, m.attempts, b.id as "bookingId", b.patient_id as "patientId"
			from mails m join bookings b on b.id = m.booking_id
			where m.id = ${id} and ${isOpen(tx)}`;
		if (row === undefined) return null;
		const { kind, attempts, bookingId, patientId } = row;
		const booking = await readViewOf(tx, tx`b.id = ${bookingId}`);
		if (booking === null) return null;
		const patients = await readPatients(tx, phi, actor, [patientId]);
		return { kind, attempts, booking, to: patients.get(patientId)?.email ?? null };
	});

export const markSent = async (sql: Queryable, id: MailId): Promise<void> => {
	await sql`update mails set sent_at = clock_timestamp() where id = ${id} and ${isOpen(sql)}`;
};

export const dropMail = async (sql: Queryable, id: MailId): Promise<void> => {
	await sql`update mails set dropped_at = clock_timestamp() where id = ${id} and ${isOpen(sql)}`;
};

export const postponeMail = async (
	sql: Queryable,
	id: MailId,
	retryInMs: number
): Promise<void> => {
	await sql`
		update mails
		set next_attempt_at = clock_timestamp() + ${retryInMs} * interval '1 millisecond'
		where id = ${id} and ${isOpen(sql)}`;
};
