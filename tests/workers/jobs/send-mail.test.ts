// One e-mail: what is sent, what is not any more, and when it is tried again.
import { expect, test } from 'vitest';
import type { BookingState, MailKind } from '#domain/booking.ts';
import { BookingId, HoldId, MailId, ScheduleId, SlotId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { Message } from '#server/platform/mailer.ts';
import type { StoredMail } from '#server/store/mails.ts';
import {
	MAX_MAIL_ATTEMPTS,
	createSendMail,
	mailPauseAfter,
	type MailDeps
} from '#workers/jobs/send-mail.ts';
import { createTestLog } from '../fakes.ts';

const mailId = MailId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a10');
const bookingId = BookingId.parse('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01');
const link = 'https://hub.example/manage?token=abc.def';

const makeMail = (over: Partial<StoredMail> = {}): StoredMail => ({
	kind: 'booked',
	attempts: 1,
	to: 'rosa@example.org',
	booking: {
		id: bookingId,
		holdId: HoldId.parse('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f02'),
		slotId: SlotId.parse(7),
		scheduleId: ScheduleId.parse(3),
		state: 'booked',
		startsAt: toInstant(Date.UTC(2026, 10, 30, 16, 30)),
		endsAt: toInstant(Date.UTC(2026, 10, 30, 16, 50)),
		kind: 'video',
		practitionerName: 'Dr. Ana <Reyes>, Psychiatry',
		organizationName: 'Big Sky Addiction Clinic',
		zone: 'America/Denver',
		phone: null,
		joinUrl: null,
		linkUrl: null,
		rejectedBecause: null,
		changeRefused: null,
		replaces: null,
		movedTo: null,
		mail: 'coming',
		calendarUid: bookingId,
		sequence: 1
	},
	...over
});

const setUp = (stored: StoredMail | null, outcome: 'sent' | 'refused' | 'failed' = 'sent') => {
	const did: string[] = [];
	const messages: Message[] = [];
	const { log, lines } = createTestLog();
	const deps: MailDeps = {
		mails: {
			claim: async () => true,
			read: async () => stored,
			sent: async () => void did.push('sent'),
			drop: async () => void did.push('drop'),
			postpone: async (_id, ms) => void did.push(`postpone ${ms}`)
		},
		mailer: {
			from: 'visits@hub.example',
			send: async (message) => {
				messages.push(message);
				return outcome;
			}
		},
		linkOf: async () => link,
		clock: { now: () => toInstant(Date.UTC(2026, 10, 21)) },
		log
	};
	return { deps, did, messages, lines };
};

test('[J21] what is sent says when and where to see more, and names nobody', async () => {
	const { deps, did, messages } = setUp(makeMail());
	expect(await createSendMail(deps)(mailId)).toBe('sent');
	expect(did).toEqual(['sent']);
	const [message] = messages;
	expect(message).toMatchObject({
		to: 'rosa@example.org',
		subject: 'Your telehealth visit is booked',
		messageId: `<${mailId}@slotcast>`
	});
	for (const body of [message?.text ?? '', message?.html ?? '']) {
		expect(body).toContain('Monday, November 30, 2026');
		expect(body).toContain('9:30');
		expect(body).toContain('MST');
		expect(body).toContain(link);
		expect(body).not.toMatch(/Reyes|Psychiatry|Addiction|Big Sky|Rosa/i);
	}
	expect(message?.calendar.content).toContain('METHOD:REQUEST');
});

test('[J21] a cancelled visit has no way in, and takes the event away', async () => {
	const { booking } = makeMail();
	const gone = makeMail({ kind: 'cancelled', booking: { ...booking, state: 'cancelled' } });
	const { deps, messages } = setUp(gone);
	await createSendMail(deps)(mailId);
	expect(messages[0]?.text).not.toContain('/manage');
	expect(messages[0]?.calendar).toMatchObject({ method: 'CANCEL' });
});

test.each<[MailKind, BookingState, boolean]>([
	['booked', 'booked', true],
	['booked', 'cancelling', true],
	['booked', 'cancelled', false],
	['moved', 'booked', true],
	['moved', 'cancelled', false],
	['cancelled', 'cancelled', true],
	['cancelled', 'booked', false]
])('[J23] "%s" of a visit that is %s by now is sent: %s', async (kind, state, isSent) => {
	const { booking } = makeMail();
	const { deps, did } = setUp(makeMail({ kind, booking: { ...booking, state } }));
	await createSendMail(deps)(mailId);
	expect(did).toEqual([isSent ? 'sent' : 'drop']);
});

test('[J23] of a visit that was moved meanwhile the new one tells', async () => {
	const { booking } = makeMail();
	const movedTo = {
		id: bookingId,
		state: 'booked',
		startsAt: booking.startsAt,
		changeRefused: null
	};
	const { deps, did } = setUp(
		makeMail({ booking: { ...booking, movedTo } as StoredMail['booking'] })
	);
	await createSendMail(deps)(mailId);
	expect(did).toEqual(['drop']);
});

test('[J23] an erased patient, a refusal for good, and the last of many tries end it', async () => {
	const cases = [
		setUp(makeMail({ to: null })),
		setUp(makeMail(), 'refused'),
		setUp(makeMail({ attempts: MAX_MAIL_ATTEMPTS }), 'failed')
	];
	for (const { deps, did } of cases) {
		expect(await createSendMail(deps)(mailId)).toBe('dropped');
		expect(did).toEqual(['drop']);
	}
});

test('[J22] a mail server that is away is tried again, later and later', async () => {
	const { deps, did } = setUp(makeMail({ attempts: 3 }), 'failed');
	expect(await createSendMail(deps)(mailId)).toBe('open');
	expect(did).toEqual(['postpone 20000']);
	expect([0, 1, 2, 8, 12, 40].map(mailPauseAfter)).toEqual([
		5_000, 5_000, 10_000, 640_000, 3_600_000, 3_600_000
	]);
});

test('[J22] sent, or lent to somebody else: nothing is sent', async () => {
	const sent = setUp(null);
	expect(await createSendMail(sent.deps)(mailId)).toBe('skipped');
	const lent = setUp(makeMail());
	const mails = { ...lent.deps.mails, claim: async () => false };
	expect(await createSendMail({ ...lent.deps, mails })(mailId)).toBe('skipped');
	expect([...sent.did, ...lent.did, ...sent.messages, ...lent.messages]).toEqual([]);
});

test('[J25] a fault of ours leaves it to its lease and quotes nobody', async () => {
	const { deps, did, lines } = setUp(makeMail());
	const mails = { ...deps.mails, sent: () => Promise.reject(new Error('rosa@example.org')) };
	expect(await createSendMail({ ...deps, mails })(mailId)).toBe('open');
	expect(did).toEqual([]);
	expect(JSON.stringify(lines)).not.toContain('rosa');
});
