// Ten thousand spoilt payloads for every kind of source, through the pure reading of each: nothing
// throws, no row comes of an invalid record, and every refusal has a reason.
import { expect, test } from 'vitest';
import type { RefusedRecord } from '#domain/answer.ts';
import { Mapping } from '#domain/mapping.ts';
import { isSlotStatus, slotKeyOf, type SlotFact } from '#domain/slot.ts';
import { sourceKinds, type SourceKind } from '#domain/source.ts';
import { DAY_MS, HOUR_MS, toInstant } from '#domain/time.ts';
import { openBundle } from '#workers/connectors/bundle.ts';
import type { PlacedRead } from '#workers/connectors/computed.ts';
import { readInFull } from '#workers/connectors/full-reading.ts';
import { parsePiece } from '#workers/connectors/ledger.ts';
import { bodyOfLines } from '#workers/connectors/pieces.ts';
import { envelopeOf } from '#workers/connectors/providers/cal-com-shapes.ts';
import { readsOfTimes } from '#workers/connectors/providers/cal-com-slots.ts';
import { readFound } from '#workers/connectors/providers/find-reading.ts';
import { busyTimeOf } from '#workers/connectors/providers/ical-busy.ts';
import { readsOfFeed } from '#workers/connectors/providers/ical-feed.ts';
import { cutCalendar } from '#workers/connectors/providers/ical-lines.ts';
import { parseAnswer } from '#workers/connectors/providers/mapped-answers.ts';
import { readMapped } from '#workers/connectors/providers/mapped-reading.ts';
import { createTally, noteBad, noteSlot } from '#workers/connectors/tally.ts';
import { mutate, spoilBytes } from '../../support/mutate.ts';
import { seededRandom, type Random } from '../../support/random.ts';
import { feedBytes, feedReader, makeFeedSlot } from './slot-feed.ts';

/** Of each kind; of two forms of one kind together. */
const PAYLOADS = 10_000;
/** Calendars with rules are watched by a thread each: fewer of them. */
const WITH_RULES = 1_000;
const start = Date.UTC(2026, 11, 1, 16);
const window = { from: toInstant(start - DAY_MS), to: toInstant(start + 3 * DAY_MS) };
const iso = (hours: number): string => new Date(start + hours * HOUR_MS).toISOString();

type Outcome = {
	readonly facts: readonly SlotFact[];
	readonly refused: readonly RefusedRecord[];
	readonly bad: number;
};

type Subject = {
	readonly kind: SourceKind;
	readonly name: string;
	/** A healthy payload: JSON to be changed in places, or text of which only bytes are changed. */
	readonly healthy: string;
	readonly isJson: boolean;
	readonly payloads?: number;
	/** null = refused as a whole. */
	readonly read: (payload: Buffer) => Outcome | null;
	/** Throws when a row can be of no record of the payload. */
	readonly judge: (payload: string, outcome: Outcome) => void;
};

const outcomeOf = (reads: Iterable<PlacedRead>): Outcome => {
	const tally = createTally();
	for (const { where, read } of reads) {
		if (read.kind === 'bad') noteBad(tally, where, read.reason, read.scheduleKey);
		if (read.kind === 'slot') noteSlot(tally, read, window);
	}
	return { facts: [...tally.facts.values()], refused: tally.refused, bad: tally.sums.badRecords };
};

/** Every instant that stands in a text, found without the code under test. */
const instantsIn = (text: string): Set<number> => {
	const found = new Set<number>();
	const shape = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?/g;
	for (const [, date, time, second = '00', fraction = '', zone = 'Z'] of text.matchAll(shape)) {
		const offset =
			zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
		const at = Date.parse(`${date}T${time}:00${offset}`);
		const millis = fraction === '' ? 0 : Math.floor(Number(fraction) * 1_000);
		if (!Number.isNaN(at)) found.add(at + Number(second) * 1_000 + millis);
	}
	return found;
};

const judgeByInstants = (payload: string, { facts }: Outcome): void => {
	if (facts.length === 0) return;
	const known = instantsIn(payload);
	const stray = facts.find(({ startsAt }) => !known.has(startsAt));
	if (stray !== undefined) expect(stray).toBe('in the payload');
};

const instantOf = (value: unknown): number => {
	if (typeof value !== 'string') return Number.NaN;
	const [at = Number.NaN] = instantsIn(value);
	return at;
};
const isSpan = (from: unknown, to: unknown): boolean => instantOf(to) > instantOf(from);

/** Also counts, where the payload is still JSON, the objects that could be a record at all. */
const judgeByCount =
	(isRecord: (value: Readonly<Record<string, unknown>>) => boolean) =>
	(payload: string, outcome: Outcome): void => {
		judgeByInstants(payload, outcome);
		let parsed: unknown;
		try {
			parsed = JSON.parse(payload);
		} catch {
			return;
		}
		let count = 0;
		const visit = (value: unknown): void => {
			if (typeof value !== 'object' || value === null) return;
			if (!Array.isArray(value) && isRecord(value as Record<string, unknown>)) count += 1;
			for (const each of Object.values(value)) visit(each);
		};
		visit(parsed);
		expect(outcome.facts.length).toBeLessThanOrEqual(count);
	};

const inFull = (form: 'lines' | 'bundle') => {
	const how = { ...feedReader(form), window: { from: toInstant(0), to: toInstant(8e15) } };
	return (payload: Buffer): Outcome | null => {
		const body = form === 'lines' ? bodyOfLines(payload) : openBundle(payload)?.body;
		if (body === undefined) return null;
		const { listing, refused, flags } = readInFull([{ name: 'x', body }], how);
		if (listing.form !== 'full') throw new Error('full expected');
		return { facts: listing.facts, refused, bad: flags.badRecords };
	};
};
const feed = [1, 2, 3].map((step) => makeFeedSlot({ id: `s${step}`, schedule: step, step }));

const mapping = Mapping.parse({
	format: 'json',
	schedules: {
		each: [{ as: 'who', at: 'people[*]' }],
		key: 'who.id',
		zone: 'who.zone',
		name: 'who.name'
	},
	slots: {
		each: [{ as: 'slot', at: 'slots[*]' }],
		schedule: 'slot.who.id',
		id: 'slot.id',
		start: { at: 'slot.start', as: 'instant' },
		end: { at: 'slot.end', as: 'instant' },
		status: { at: 'slot.state', words: { OPEN: 'free', TAKEN: 'busy' } },
		remaining: 'slot.left',
		bookUrl: 'slot.page'
	}
});
const table = Mapping.parse({
	format: 'csv',
	slots: {
		each: [{ as: 'row', at: '[*]' }],
		id: 'row.id',
		start: { at: 'row.start', as: 'instant' },
		minutes: 'row.minutes'
	}
});
const mapped =
	(rules: Mapping) =>
	(payload: Buffer): Outcome | null => {
		const parsed = parseAnswer(payload, rules);
		if (!parsed.ok) return null;
		const pages = [{ name: 'page 1', value: parsed.value }];
		const { reads } = readMapped(pages, rules, { name: 'Vendor', notes: {} });
		const broken = parsed.broken.map(({ where, reason }): PlacedRead => ({
			where,
			read: { kind: 'bad', reason, scheduleKey: null }
		}));
		return outcomeOf([...broken, ...reads]);
	};

const zone = 'America/Denver';
const event = (name: string, ...lines: string[]): string =>
	[
		'BEGIN:VEVENT',
		`UID:${name.repeat(12)}@clinic.example`,
		...lines,
		'SUMMARY:Visit',
		'END:VEVENT',
		''
	].join('\r\n');
const busyEvents = [
	{ text: event('Ab', 'DTSTART:20261201T160000Z', 'DTEND:20261201T170000Z'), at: start },
	{
		text: event('cD', 'DTSTART;TZID=America/Denver:20261202T110000', 'DURATION:PT1H'),
		at: start + 26 * HOUR_MS
	},
	{
		text: event('eF', 'DTSTART;TZID=Own:20261203T100000', 'DURATION:PT1H', 'TRANSP:OPAQUE'),
		at: start + 49 * HOUR_MS
	}
];
const calendarOf = (...series: readonly string[]): string =>
	[
		'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n',
		'TZOFFSETFROM:-0700\r\nTZOFFSETTO:-0700\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n',
		...busyEvents.map(({ text }) => text),
		...series,
		'BEGIN:VFREEBUSY\r\nFREEBUSY:20261201T200000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n'
	].join('');
const series = event(
	'gH',
	'DTSTART:20200101T150000Z',
	'DURATION:PT30M',
	'RRULE:FREQ=WEEKLY;BYDAY=TU,WE',
	'EXDATE:20261202T150000Z'
);
const hours = [{ days: ['tue', 'wed', 'thu'], from: '08:00', to: '16:00' }] as const;

const readCalendar = (payload: Buffer): Outcome | null => {
	const text = cutCalendar(payload);
	if (!text.isWhole) return null;
	const busy = busyTimeOf(text, zone, window);
	const noted = {
		zone,
		hours: hours.map((each) => ({ ...each, days: [...each.days] })),
		slotMinutes: 60
	};
	return outcomeOf(readsOfFeed(busy, noted, { notes: {}, window }));
};

/** An event that came through untouched keeps its time; while one may lie anywhere, nothing is free. */
const judgeCalendar = (payload: string, { facts, refused }: Outcome): void => {
	const free = facts
		.filter(({ remaining }) => remaining > 0)
		.map(({ startsAt }) => Number(startsAt));
	for (const { text, at } of busyEvents) {
		const isUntouched = payload.includes(text) && !text.includes('TZID=Own');
		if (isUntouched && free.includes(at)) expect(free).not.toContain(at);
	}
	if (
		refused.some(
			({ reason }) => /start|garbled|unknown|not iCalendar/.test(reason) && !/before/.test(reason)
		)
	) {
		expect(free).toEqual([]);
	}
};

const readCal = (payload: Buffer): Outcome | null => {
	const envelope = envelopeOf(payload);
	const reads = envelope === null ? null : readsOfTimes(envelope.data, { id: 7 }, {});
	return reads === null ? null : outcomeOf(reads);
};
const readOperations = (payload: Buffer): Outcome | null => {
	const answer = parsePiece({ bytes: payload, start: 0, end: payload.length })?.value;
	return answer === undefined
		? null
		: outcomeOf(readFound([answer], { name: 'Clinic', notes: {} }, []).reads);
};
const proposal = (hour: number): object => ({
	resourceType: 'Appointment',
	status: 'proposed',
	start: iso(hour),
	end: iso(hour + 1),
	contained: [{ resourceType: 'Slot', schedule: { reference: 'Schedule/a' }, status: 'free' }],
	participant: [{ actor: { reference: 'Practitioner/a', display: 'Ana Ruiz' } }]
});
const opening = (hour: number): object => ({
	id: `o${hour}`,
	who: { id: 'a' },
	start: iso(hour),
	end: iso(hour + 1),
	state: 'OPEN',
	left: 2,
	page: 'https://vendor.example/1'
});

const subjects: readonly Subject[] = [
	{
		kind: 'smart-scheduling-links',
		name: 'lines of Slots',
		healthy: feedBytes('lines', feed.slice(0, 1)).toString(),
		isJson: true,
		read: inFull('lines'),
		judge: judgeByCount(({ start, end }) => isSpan(start, end))
	},
	{
		kind: 'fhir-slots',
		name: 'Bundle of Slots',
		healthy: feedBytes('bundle', feed).toString(),
		isJson: true,
		read: inFull('bundle'),
		judge: judgeByCount(({ start, end }) => isSpan(start, end))
	},
	{
		kind: 'ical',
		name: 'calendar of single events',
		payloads: PAYLOADS - WITH_RULES,
		healthy: calendarOf(),
		isJson: false,
		read: readCalendar,
		judge: judgeCalendar
	},
	{
		kind: 'ical',
		name: 'calendar with a series',
		payloads: WITH_RULES,
		healthy: calendarOf(series),
		isJson: false,
		read: readCalendar,
		judge: judgeCalendar
	},
	{
		kind: 'mapped',
		name: 'vendor JSON',
		healthy: JSON.stringify({
			people: [{ id: 'a', zone, name: 'Ana Ruiz' }],
			slots: [opening(1), opening(3), opening(5)]
		}),
		isJson: true,
		read: mapped(mapping),
		judge: judgeByCount(({ start, end }) => isSpan(start, end))
	},
	{
		kind: 'mapped',
		name: 'vendor CSV',
		healthy: `id,start,minutes\r\n${[1, 2, 3].map((n) => `${n},${iso(n)},30\r\n`).join('')}`,
		isJson: false,
		read: mapped(table),
		judge: judgeByInstants
	},
	{
		kind: 'cal-com',
		name: 'times of Cal.com',
		healthy: JSON.stringify({
			status: 'success',
			data: {
				'2026-12-01': [1, 2, 3].map((n) => ({ start: iso(n), end: iso(n + 1), seatsRemaining: 1 }))
			}
		}),
		isJson: true,
		read: readCal,
		judge: judgeByCount(({ start, end }) => isSpan(start, end))
	},
	{
		kind: 'fhir-operations',
		name: 'proposals',
		healthy: JSON.stringify({
			resourceType: 'Bundle',
			entry: [1, 3, 5].map((hour) => ({ resource: proposal(hour) }))
		}),
		isJson: true,
		read: readOperations,
		judge: judgeByCount(({ start, end, status }) => isSpan(start, end) && status === 'proposed')
	}
];

const spoilText = (random: Random, text: string): Buffer => {
	const at = random.int(0, text.length);
	const cut = random.int(0, 40);
	const odd = [
		'',
		'\u0000',
		'\n',
		'\r\n',
		',',
		'"',
		':',
		text.slice(at - cut, at),
		'9'.repeat(cut)
	];
	const changed = random.chance(0.5)
		? text.slice(0, at) + random.pick(odd) + text.slice(at + cut)
		: text;
	return spoilBytes(random, changed);
};

/** Plain comparisons: a million calls of `expect` would take longer than all the reading. */
const isSound = (fact: SlotFact): boolean =>
	fact.endsAt > fact.startsAt &&
	isSlotStatus(fact.status) &&
	Number.isInteger(fact.remaining) &&
	fact.remaining >= 0 &&
	fact.capacity >= Math.max(fact.remaining, 1) &&
	(fact.status === 'free' || fact.remaining === 0) &&
	fact.scheduleKey !== '' &&
	fact.sourceSlotId !== '' &&
	(fact.bookUrl === null || /^https?:/.test(fact.bookUrl));

const isTold = ({ facts, refused, bad }: Outcome): boolean =>
	refused.every(({ reason, where }) => reason !== '' && where !== '') &&
	refused.length === Math.min(bad, 20) &&
	new Set(facts.map(slotKeyOf)).size === facts.length;

test('[A85] every kind of source is among them', () => {
	expect(new Set(subjects.map(({ kind }) => kind))).toEqual(new Set(sourceKinds));
});

test.each(subjects)(
	'[A85] ten thousand spoilt payloads: $name',
	(subject) => {
		const random = seededRandom();
		const healthy = subject.read(Buffer.from(subject.healthy));
		expect(healthy?.facts.length).toBeGreaterThan(0);
		expect(healthy?.bad).toBe(0);
		const seed: unknown = subject.isJson ? JSON.parse(subject.healthy) : null;
		let told = 0;
		let refusals = 0;
		for (let turn = 0; turn < (subject.payloads ?? PAYLOADS); turn += 1) {
			const text = subject.isJson
				? (JSON.stringify(random.chance(0.8) ? mutate(random, seed) : seed) ?? '')
				: subject.healthy;
			const payload = random.chance(subject.isJson ? 0.5 : 1)
				? spoilText(random, text)
				: Buffer.from(text);
			const outcome = subject.read(payload);
			if (outcome === null) {
				refusals += 1;
				continue;
			}
			const unsound = outcome.facts.find((fact) => !isSound(fact));
			if (unsound !== undefined) expect(unsound).toBe('sound');
			if (!isTold(outcome)) expect(outcome).toBe('told with every reason');
			subject.judge(payload.toString(), outcome);
			told += outcome.facts.length;
			refusals += outcome.bad;
		}
		expect(told).toBeGreaterThan(1_000);
		expect(refusals).toBeGreaterThan(300);
		process.stderr.write(
			`${subject.name}: seed ${random.seed}, ${told} told, ${refusals} refused\n`
		);
	},
	300_000
);
