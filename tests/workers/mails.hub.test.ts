// E-mails by whole worker processes to a real SMTP server: sent once, put off, and sent again at most
// once when a worker dies before it could note that it was sent.
import ICAL from 'ical.js';
import { expect, onTestFinished, test } from 'vitest';
import type { BookingId } from '#domain/ids.ts';
import { createQueues } from '#workers/queues.ts';
import { startSmtpSink, type Received } from '../support/smtp-sink.ts';
import { listenToRedis } from '../support/redis-monitor.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { canary, canaryEmail, createPatient, type Patient } from './patient.ts';

const key = 'prairie-lantern';
/** The machine may be busy with other tests. */
const patience = { timeoutMs: 60_000 };
const smtp = (url: string) => ({
	env: { HUB_SMTP_URL: url, HUB_MAIL_FROM: 'visits@hub.example' }
});

const enter = async (system: System): Promise<Patient> => {
	await until(async () => {
		const [row] = await system.database.sql<{ n: number }[]>`
			select count(*)::int as n from slots where status = 'free'`;
		return (row?.n ?? 0) > 10;
	}, patience);
	const queues = createQueues(system.redis.url, system.redis.prefix);
	onTestFinished(() => queues.close());
	return createPatient(system, queues);
};

const untilState = async (patient: Patient, bookingId: BookingId, state: string): Promise<void> => {
	await until(async () => (await patient.look(bookingId)).state === state, patience);
};

const untilMail = async (patient: Patient, bookingId: BookingId): Promise<void> => {
	await until(async () => (await patient.look(bookingId)).mail === 'sent', patience);
};

const eventOf = ({ parts }: Received) => {
	const part = parts.find(({ type }) => type.startsWith('text/calendar'));
	const calendar = new ICAL.Component(ICAL.parse(part?.text ?? ''));
	const found = calendar.getFirstSubcomponent('vevent');
	if (found === null) throw new Error('no event');
	return {
		type: part?.type,
		method: calendar.getFirstPropertyValue('method'),
		event: new ICAL.Event(found)
	};
};

const makeDue = async ({ database }: System): Promise<void> => {
	await database.sql`
		update mails set next_attempt_at = clock_timestamp(),
			created_at = created_at - interval '1 minute'`;
};

test('[J21] booked, moved, cancelled: one e-mail each, and one event in the calendar', async () => {
	await using sink = await startSmtpSink();
	await using system = await startSystem({ keys: [key], ...smtp(sink.url) });
	await system.startWorkers();
	const patient = await enter(system);
	const first = await patient.book(key);
	await untilMail(patient, first);
	const second = await patient.move(first, key);
	await untilMail(patient, second);
	await untilState(patient, first, 'cancelled');
	await patient.cancel(second);
	await untilState(patient, second, 'cancelled');
	await until(() => sink.received.length === 3, patience);
	const subjects = sink.received.map(({ headers }) => headers.get('subject'));
	expect(subjects).toEqual([
		'Your telehealth visit is booked',
		'Your telehealth visit has a new time',
		'Your telehealth visit is cancelled'
	]);
	const events = sink.received.map(eventOf);
	expect(events.map(({ method }) => method)).toEqual(['REQUEST', 'REQUEST', 'CANCEL']);
	for (const { method, type } of events) expect(type).toContain(`method=${String(method)}`);
	expect(new Set(events.map(({ event }) => event.uid)).size).toBe(1);
	const sequences = events.map(({ event }) => event.sequence);
	expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
	for (const { to, parts, headers } of sink.received) {
		expect(to).toEqual([canaryEmail]);
		expect(headers.get('from')).toContain('visits@hub.example');
		const said = parts.map(({ text }) => text).join('\n');
		expect(said.replaceAll(/^ATTENDEE.*(\r\n .*)*/gm, '')).not.toMatch(/Xylophonia|Martinez|1961/i);
		expect(parts.map(({ type }) => type.split(';')[0])).toEqual([
			'text/plain',
			'text/html',
			'text/calendar',
			'application/ics'
		]);
	}
	const link = /https?:\S+\/manage\?token=\S+/.exec(sink.received[0]?.parts[0]?.text ?? '');
	expect(link).not.toBeNull();
});

test('[J22] the worker dies before it noted that the e-mail was sent: sent once more, and no more', async () => {
	const victim: { kill: () => Promise<unknown> } = { kill: () => Promise.resolve() };
	let deaths = 0;
	await using sink = await startSmtpSink({
		beforeYes: async () => {
			deaths += 1;
			if (deaths === 1) await victim.kill();
		}
	});
	await using system = await startSystem({ keys: [key], ...smtp(sink.url) });
	const worker = await system.startWorkers();
	victim.kill = () => worker.kill('SIGKILL');
	const patient = await enter(system);
	const bookingId = await patient.book(key);
	await until(() => sink.received.length === 1, patience);
	await system.startWorkers();
	// Lent to the dead worker: nobody sends it before its lease has ended.
	expect((await patient.look(bookingId)).mail).toBe('coming');
	await makeDue(system);
	await untilMail(patient, bookingId);
	await makeDue(system);
	// Whoever looks now finds nothing to send: another visit's e-mail comes, and this one's does not.
	const other = await patient.book(key);
	await untilMail(patient, other);
	expect(sink.received).toHaveLength(3);
	const ids = sink.received.map(({ headers }) => headers.get('message-id'));
	expect(ids[0]).toBe(ids[1]);
	expect(ids[2]).not.toBe(ids[0]);
});

test('[J22] a mail server that is away: the e-mail comes when it is back', async () => {
	const first = await startSmtpSink();
	const { port, url } = first;
	await first.close();
	await using system = await startSystem({ keys: [key], ...smtp(url) });
	const workers = await system.startWorkers();
	const patient = await enter(system);
	const bookingId = await patient.book(key);
	await untilState(patient, bookingId, 'booked');
	await until(() => workers.output().includes('mail_postponed'), patience);
	expect((await patient.look(bookingId)).mail).toBe('coming');
	await using sink = await startSmtpSink({ port });
	await makeDue(system);
	await untilMail(patient, bookingId);
	expect(sink.received).toHaveLength(1);
});

test('[J23] an address that is refused for good is not tried again', async () => {
	await using sink = await startSmtpSink({ refuseWith: 550 });
	await using system = await startSystem({ keys: [key], ...smtp(sink.url) });
	const workers = await system.startWorkers();
	const patient = await enter(system);
	const bookingId = await patient.book(key);
	await until(() => workers.output().includes('mail_dropped'), patience);
	expect(await patient.look(bookingId)).toMatchObject({ state: 'booked', mail: null });
	expect(sink.received).toEqual([]);
});

test('[J24] without a mail server nothing is noted, and the screen speaks of no e-mail', async () => {
	await using system = await startSystem({ keys: [key] });
	await system.startWorkers();
	const patient = await enter(system);
	const bookingId = await patient.book(key);
	await untilState(patient, bookingId, 'booked');
	expect(await patient.look(bookingId)).toMatchObject({ mail: null });
	expect(await system.database.sql`select * from mails`).toHaveLength(0);
});

test('[J25] neither Redis nor the log holds an address or a word of an e-mail', async () => {
	await using sink = await startSmtpSink({ refuseWith: 451 });
	await using system = await startSystem({ keys: [key], ...smtp(sink.url) });
	const workers = await system.startWorkers();
	const redis = await listenToRedis(system.redis.url);
	onTestFinished(() => redis.close());
	const patient = await enter(system);
	await patient.book(key);
	await until(() => workers.output().includes('mail_postponed'), patience);
	const all = redis.heard.join('\n');
	expect(all).toContain('mailId');
	for (const secret of [canary, canaryEmail, 'Your telehealth visit']) {
		expect(all.toLowerCase()).not.toContain(secret.toLowerCase());
		expect(workers.output().toLowerCase()).not.toContain(secret.toLowerCase());
	}
});
