// The job send-mail: opens one patient's address, sends one e-mail, marks it sent. At least once: a
// worker that dies between the mail server's yes and our mark lets it be sent once more, under the
// same Message-ID, and only after its lease has ended.
import type { MailKind, BookingView } from '#domain/booking.ts';
import type { BookingId, MailId } from '#domain/ids.ts';
import { MINUTE_MS, SECOND_MS, type Clock } from '#domain/time.ts';
import { logFault, type Log } from '#server/platform/log.ts';
import type { Mailer } from '#server/platform/mailer.ts';
import { composeMail } from '#server/scheduling/compose-mail.ts';
import type { StoredMail } from '#server/store/mails.ts';

/** The store's side (server/store/mails.ts), with its connection and cipher bound. */
export type MailStore = {
	readonly claim: (id: MailId, leaseMs: number) => Promise<boolean>;
	readonly read: (id: MailId) => Promise<StoredMail | null>;
	readonly sent: (id: MailId) => Promise<void>;
	readonly drop: (id: MailId) => Promise<void>;
	readonly postpone: (id: MailId, retryInMs: number) => Promise<void>;
};

export type MailDeps = {
	readonly mails: MailStore;
	readonly mailer: Pick<Mailer, 'from' | 'send'>;
	readonly linkOf: (bookingId: BookingId) => Promise<string | null>;
	readonly clock: Clock;
	readonly log: Log;
};

export type MailReport = 'sent' | 'dropped' | 'open' | 'skipped';

/** Longer than one sending may take. */
export const MAIL_LEASE_MS = 2 * MINUTE_MS;
/** Tries over about half a day; who has not got it by then does not need it. */
export const MAX_MAIL_ATTEMPTS = 16;
const FIRST_PAUSE_MS = 5 * SECOND_MS;
const LONGEST_PAUSE_MS = 60 * MINUTE_MS;

/** J22: 5 s, 10 s, 20 s … up to an hour. */
export const mailPauseAfter = (attempts: number): number =>
	Math.min(FIRST_PAUSE_MS * 2 ** (Math.max(attempts, 1) - 1), LONGEST_PAUSE_MS);

/** J23: what has happened since may have made it untrue: then what happened is told instead. */
export const isStillTrue = (kind: MailKind, { state, movedTo }: BookingView): boolean => {
	if (kind === 'cancelled') return state === 'cancelled';
	return (state === 'booked' || state === 'cancelling') && movedTo?.state !== 'booked';
};

const sendOne = async (deps: MailDeps, id: MailId, stored: StoredMail): Promise<MailReport> => {
	const { mails, mailer, log } = deps;
	const { kind, booking, to, attempts } = stored;
	if (to === null || !isStillTrue(kind, booking)) {
		await mails.drop(id);
		return 'dropped';
	}
	const link = kind === 'cancelled' ? null : await deps.linkOf(booking.id);
	const { from } = mailer;
	const composed = composeMail({ kind, booking, link, from, to, now: deps.clock.now() });
	const outcome = await mailer.send({ ...composed, to, messageId: `<${id}@slotcast>` });
	if (outcome === 'sent') {
		await mails.sent(id);
		log.info('mail_sent', { mailId: id, kind, attempts });
		return 'sent';
	}
	if (outcome === 'refused' || attempts >= MAX_MAIL_ATTEMPTS) {
		await mails.drop(id);
		log.warn('mail_dropped', { mailId: id, kind, attempts });
		return 'dropped';
	}
	await mails.postpone(id, mailPauseAfter(attempts));
	log.warn('mail_postponed', { mailId: id, attempts });
	return 'open';
};

/** Sends an e-mail that the caller has claimed. Throws nothing: the lease makes it due again. */
export const sendClaimedMail =
	(deps: MailDeps) =>
	async (id: MailId): Promise<MailReport> => {
		try {
			const stored = await deps.mails.read(id);
			return stored === null ? 'skipped' : await sendOne(deps, id, stored);
		} catch (error) {
			logFault(deps.log, 'mail_failed', error, { mailId: id });
			return 'open';
		}
	};

/** Creates the job. Throws when Postgres cannot be asked. */
export const createSendMail = (deps: MailDeps) => {
	const send = sendClaimedMail(deps);
	return async (id: MailId): Promise<MailReport> =>
		(await deps.mails.claim(id, MAIL_LEASE_MS)) ? await send(id) : 'skipped';
};
