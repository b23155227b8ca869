// The hub's own store beside the model: takes the same steps in a real Postgres whose clock the test
// turns. Functions and statements find `virtual.clock_timestamp()` before the built-in one.
import { createHash, randomUUID } from 'node:crypto';
import type { BookingId, HoldId, SlotId, SourceId, WaitingId } from '#domain/ids.ts';
import { BookingId as Booking, DeviceKey, PatientId, RequestId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { diffFull } from '#domain/slot-diff.ts';
import { slotKeyOf, type SlotFact } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { offerTimes } from '#server/scheduling/offer-times.ts';
import * as waiting from '#server/scheduling/wait-for-times.ts';
import { settleBooking, type BookingOutcome } from '#server/store/bookings.ts';
import { askCancel, keepBooking } from '#server/store/cancel-booking.ts';
import { claimBooking } from '#server/store/claim-bookings.ts';
import { commitPoll } from '#server/store/commit-poll.ts';
import { confirmHold } from '#server/store/confirm-hold.ts';
import { expireHolds, extendHold, placeHold, releaseHold } from '#server/store/holds.ts';
import { moveBooking } from '#server/store/move-booking.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { claimPoll, upsertSource, type PollClaim } from '#server/store/sources.ts';
import type { Outcome } from '../../sim/holds/bookings.ts';
import { criteriaOf, SPECIALTY } from '../../sim/holds/line.ts';
import type { Model, Slot } from '../../sim/holds/model.ts';
import { makeAnswer, makeSchedule, makeSource, poll } from '../../store/poll-world.ts';
import { createTestDatabase } from '../../support/database.ts';
import { makeConfirm, makePatient, phi } from '../world.ts';
import { POLL_LEASE_MS, textOfSweep, type Fact, type Key, type Step } from './steps.ts';

/** The model's 0 in the database's clock. */
export const BASE = Date.UTC(2031, 0, 6, 12);

type Claimed = { claim: PollClaim; answer: ReturnType<typeof makeAnswer>; changes: Changes };
type Changes = ReturnType<typeof diffFull>;

export type Twin = {
	readonly sql: Sql;
	readonly model: Model;
	readonly slots: SlotId[];
	readonly sources: SourceId[];
	/** By number of the model's schedule. */
	readonly schedules: number[];
	readonly holds: Map<Key, HoldId>;
	readonly bookings: Map<Key, BookingId>;
	readonly entries: Map<number, WaitingId>;
	readonly polls: Map<number, Claimed[]>;
	/** Others act at the same time. */
	isCrowded: boolean;
};

export const openClock = async () => {
	const database = await createTestDatabase({ maxConnections: 1 });
	await database.sql`create schema virtual`;
	await database.sql`create table virtual.clock (at timestamptz not null)`;
	await database.sql`insert into virtual.clock values (now())`;
	await database.sql`
		create function virtual.clock_timestamp() returns timestamptz language sql volatile
		as 'select at from virtual.clock'`;
	// Transactions that touch patients run in the hub's role.
	await database.sql`grant usage on schema virtual to public`;
	await database.sql`grant select on virtual.clock to public`;
	const name = new URL(database.url).pathname.slice(1);
	await database.sql.unsafe(`alter database ${name} set search_path = virtual, public, pg_catalog`);
	const sql = createPostgres(database.url, { max: 6, applicationName: 'twin' });
	return {
		sql,
		close: async () => {
			await sql.end({ timeout: 5 });
			await database.close();
		}
	};
};

export const deviceOf = (nr: number): DeviceKey =>
	DeviceKey.parse(createHash('sha256').update(`device ${nr}`).digest('hex'));
/** Of the requests that people make here; those of the hub itself are random. */
export const REQUEST_PREFIX = '00000000-0000-4000-8000-';
const requestOf = (nr: number): RequestId =>
	RequestId.parse(`${REQUEST_PREFIX}${String(nr).padStart(12, '0')}`);
const scheduleKey = (slot: Slot): string => `schedule-${slot.schedule.nr}`;

const factOf = (slot: Slot, { status, capacity, remaining }: Fact): SlotFact => ({
	scheduleKey: scheduleKey(slot),
	startsAt: toInstant(BASE + slot.startsAt),
	endsAt: toInstant(BASE + slot.endsAt),
	service: `nr-${slot.nr}`,
	status,
	capacity,
	remaining,
	sourceSlotId: `s${slot.nr}`,
	version: '',
	kinds: null,
	bookUrl: null,
	bookPhone: null
});

const turnTo = (sql: Sql, now: number) =>
	sql`update virtual.clock set at = to_timestamp(${BASE + now}::float8 / 1000)`;

const window = { from: toInstant(0), to: toInstant(BASE * 2) };

/** An empty hub, then the model's sources and times through real polls. */
export const createTwin = async (sql: Sql, model: Model): Promise<Twin> => {
	await sql`truncate sources, schedules, slots, holds, requests, bookings, patients,
		waiting_entries, rooms, change_log restart identity cascade`;
	await turnTo(sql, model.now);
	const sources: SourceId[] = [];
	const slots: SlotId[] = [];
	const schedules: number[] = [];
	for (const source of model.sources) {
		const id = await upsertSource(
			sql,
			makeSource({
				key: `source-${source.nr}`,
				kind: source.booking === 'fhir' ? 'fhir-slots' : 'smart-scheduling-links',
				booking: source.booking,
				freshForMs: source.freshForMs,
				notes: { minNoticeMinutes: source.minNoticeMs / 60_000 }
			})
		);
		sources.push(id);
		const of = model.slots.filter((slot) => slot.schedule.source === source);
		await poll(sql, id, {
			facts: of.map((slot) => factOf(slot, slot)),
			schedules: model.schedules
				.filter((schedule) => schedule.source === source)
				.map(({ nr, regions, planIds }) =>
					makeSchedule({ key: `schedule-${nr}`, specialtyIds: [SPECIALTY], regions, planIds })
				),
			answer: { window }
		});
		source.pollGen = 1;
		source.committedGen = 1;
		source.pollStartedAt = model.now;
	}
	for (const slot of model.slots) {
		const key = slotKeyOf(factOf(slot, slot));
		const [row] = await sql<{ id: SlotId; schedule: number }[]>`
			select id, schedule_id as schedule from slots where key = ${key}`;
		slots[slot.nr] = must(row).id;
		schedules[slot.schedule.nr] = must(row).schedule;
	}
	return {
		sql,
		model,
		slots,
		sources,
		schedules,
		holds: new Map(),
		bookings: new Map(),
		entries: new Map(),
		polls: new Map(),
		isCrowded: false
	};
};

const NO_LIMIT = 1_000_000;
const limitsOf = ({ model }: Twin) => model.limits;
const keyOfHold = (twin: Twin, id: HoldId): Key =>
	must([...twin.holds].find(([, known]) => known === id))[0];

const outcomeOf = (outcome: Outcome): BookingOutcome => {
	switch (outcome) {
		case 'booked':
			return { state: 'booked', appointmentId: 'a', joinUrl: null };
		case 'slot_taken':
		case 'clinic_refused':
			return { state: 'rejected', because: outcome };
		default:
			return { state: outcome };
	}
};

const confirmStep = async (twin: Twin, step: Extract<Step, { do: 'confirm' }>): Promise<string> => {
	const command = makeConfirm(must(twin.holds.get(step.hold)), {
		requestId: requestOf(step.request),
		patient: makePatient({ givenName: `Rosa ${step.words}` })
	});
	const ids = { bookingId: Booking.parse(randomUUID()), patientId: PatientId.parse(randomUUID()) };
	const { handOverMs } = twin.model;
	const asked = {
		device: deviceOf(step.device),
		command,
		...ids,
		maxVisits: NO_LIMIT,
		linkOf: () => null,
		handOverMs
	};
	const made = await confirmHold(twin.sql, phi, asked);
	if (!made.ok) return made.reason;
	twin.bookings.set(step.hold, made.value.bookingId);
	return made.value.state;
};

const moveStep = async (twin: Twin, step: Extract<Step, { do: 'move' }>): Promise<string> => {
	const made = await moveBooking(twin.sql, {
		device: deviceOf(step.device),
		command: {
			bookingId: must(twin.bookings.get(step.booking)),
			holdId: must(twin.holds.get(step.hold)),
			requestId: requestOf(step.request)
		},
		bookingId: Booking.parse(randomUUID())
	});
	if (!made.ok) return made.reason;
	twin.bookings.set(step.hold, made.value.bookingId);
	return made.value.state;
};

const bookingStep = async (twin: Twin, step: Step): Promise<string> => {
	const { sql } = twin;
	switch (step.do) {
		case 'confirm':
			return confirmStep(twin, step);
		case 'move':
			return moveStep(twin, step);
		case 'cancel': {
			const bookingId = must(twin.bookings.get(step.booking));
			const command = { bookingId, requestId: requestOf(step.request) };
			const asked = await askCancel(sql, deviceOf(step.device), command);
			if (!asked.ok) return asked.reason;
			return asked.value.round === null ? 'was_asked' : 'asked';
		}
		case 'takeUp': {
			const id = must(twin.bookings.get(step.booking));
			// Due again at once: when it is due is another rule's business.
			if ((await claimBooking(sql, id, 0)) === null) return 'no';
			const [row] = await sql<{ text: string }[]>`
				select attempts || ' ' || cancel_round as text from bookings where id = ${id}`;
			return must(row).text;
		}
		case 'settle': {
			const id = must(twin.bookings.get(step.booking));
			const { asking } = step;
			const by = { sendsMail: false, asking };
			return String((await settleBooking(sql, id, outcomeOf(step.outcome), by)) !== null);
		}
		case 'keep': {
			const id = must(twin.bookings.get(step.booking));
			return String((await keepBooking(sql, id, 'clinic_refused', step.asking)) !== null);
		}
		default:
			throw new Error(`no step of a booking: ${step.do}`);
	}
};

/**
 * One sweep leaves some holds of a slot to the next when it has more than ten to end: a row that it
 * has changed itself it does not lock again. So it is repeated, unless others are at work (`once`).
 */
const sweepStep = async (twin: Twin): Promise<string> => {
	const ended: Key[] = [];
	let back = 0;
	for (let isDone = false; !isDone;) {
		const swept = await expireHolds(twin.sql, 500);
		ended.push(...swept.ended.map(({ holdId }) => keyOfHold(twin, holdId)));
		back += swept.handedBack;
		const due = await twin.sql`
			select 1 from holds where state in ('held', 'confirming', 'booked')
				and expires_at <= clock_timestamp() limit 1`;
		isDone = twin.isCrowded || due.length === 0;
	}
	return textOfSweep(ended, back);
};

const holdStep = async (twin: Twin, step: Step): Promise<string> => {
	const { sql } = twin;
	switch (step.do) {
		case 'place': {
			const slotId = must(twin.slots[step.slot]);
			const asked = { device: deviceOf(step.device), slotId, requestId: requestOf(step.request) };
			const placed = await placeHold(sql, asked, limitsOf(twin));
			if (placed.outcome !== 'granted') return placed.outcome;
			const { id, fence, state, ttlMs } = placed.hold;
			const key = `${step.slot}:${fence}`;
			twin.holds.set(key, id);
			return `granted ${key} ${state} ${ttlMs}`;
		}
		case 'extend':
			return extendHold(sql, {
				device: deviceOf(step.device),
				holdId: must(twin.holds.get(step.hold)),
				ttlMs: limitsOf(twin).ttlMs
			});
		case 'release':
			return (await releaseHold(sql, deviceOf(step.device), must(twin.holds.get(step.hold))))
				.outcome;
		case 'sweep':
			return sweepStep(twin);
		default:
			return bookingStep(twin, step);
	}
};

const lineStep = async (twin: Twin, step: Step): Promise<string> => {
	const { sql, model } = twin;
	const deps = { sql, publish: () => undefined };
	if (step.do === 'join') {
		const { region, plan, schedule } = step;
		const wish = criteriaOf({ region, plan, schedule: null });
		const scheduleId = schedule === null ? null : (must(twin.schedules[schedule]) as never);
		const requestId = requestOf(step.request);
		const command = { ...wish, kinds: [], scheduleId, requestId };
		const joined = await waiting.joinWaiting({ sql })(deviceOf(step.device), command);
		if (!joined.ok) return joined.reason;
		const known = [...twin.entries].find(([, id]) => id === joined.value.id);
		const nr = known?.[0] ?? model.made.entries;
		twin.entries.set(nr, joined.value.id);
		return `joined ${nr}`;
	}
	if (step.do === 'leave' || step.do === 'resume') {
		const id = twin.entries.get(step.entry);
		const how = step.do === 'leave' ? waiting.leaveWaiting : waiting.resumeWaiting;
		return String(id !== undefined && (await how(deps)(deviceOf(step.device), id)).ok);
	}
	const offers = await offerTimes(deps)();
	await learnHolds(twin);
	return offers
		.map(({ waitingId, holdId }) => {
			const [nr] = must([...twin.entries].find(([, id]) => id === waitingId));
			return `${nr}→${keyOfHold(twin, holdId)}`;
		})
		.join(' ');
};

const pollStep = async (twin: Twin, step: Step): Promise<string> => {
	if (step.do !== 'beginPoll' && step.do !== 'readPoll' && step.do !== 'commitPoll') return '';
	const { sql, polls, model } = twin;
	const sourceId = must(twin.sources[step.source]);
	if (step.do === 'beginPoll') {
		const claim = await claimPoll(sql, sourceId, POLL_LEASE_MS);
		if (claim === null) return 'no';
		const begun = { claim, answer: makeAnswer({ window }), changes: [] };
		polls.set(step.source, [...(polls.get(step.source) ?? []), begun]);
		return `gen ${claim.gen}`;
	}
	const begun = must(polls.get(step.source));
	const known = must(step.do === 'readPoll' ? begun.at(-1) : begun.shift());
	if (step.do === 'readPoll') {
		const facts = [...step.listing].flatMap(([nr, fact]) =>
			fact === null ? [] : [factOf(must(model.slots[nr]), fact)]
		);
		known.answer = makeAnswer({ listing: { form: 'full', facts }, window });
		known.changes = diffFull(await readKnownSlots(sql, sourceId), facts, known.answer);
		const upcoming = known.changes.filter(
			(change) => (change.kind === 'removed' ? change.was : change.fact).startsAt > BASE + model.now
		);
		return `changes ${upcoming.length}`;
	}
	const done = await commitPoll(sql, { ...known, nextPollInMs: 0, suspect: null });
	return done.ok ? 'committed' : done.reason;
};

/** Takes one step in the hub; the model has taken it already, or will. */
export const takeRealStep = async (twin: Twin, step: Step): Promise<string> => {
	const { sql, sources, model } = twin;
	switch (step.do) {
		case 'advance':
			await turnTo(sql, model.now);
			return '';
		case 'enable':
			await sql`
				update sources set enabled = ${step.enabled} where id = ${must(sources[step.source])}`;
			return '';
		case 'join':
		case 'leave':
		case 'resume':
		case 'offer':
			return lineStep(twin, step);
		case 'beginPoll':
		case 'readPoll':
		case 'commitPoll':
			return pollStep(twin, step);
		default:
			return holdStep(twin, step);
	}
};

const learnHolds = async (twin: Twin): Promise<void> => {
	const rows = await twin.sql<{ id: HoldId; slot: SlotId; fence: number }[]>`
		select id, slot_id as slot, fence from holds`;
	for (const { id, slot, fence } of rows)
		twin.holds.set(`${twin.slots.indexOf(slot)}:${fence}`, id);
};
