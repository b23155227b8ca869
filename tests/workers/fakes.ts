// Sources and answers made up for the tests of the jobs, and a log that remembers.
import { noFlags, type SilentAnswer, type SpokenAnswer } from '#domain/answer.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import type { SlotFact } from '#domain/slot.ts';
import { sourceKinds, SourceSettings, type SourceKind } from '#domain/source.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { createLog, type Log } from '#server/platform/log.ts';
import type { Connector, PollRequest } from '#workers/connectors/connector.ts';
import type { Answer } from '#domain/answer.ts';

/** The next full hour: times of made slots lie after it. */
export const soon = (): Instant => toInstant((Math.floor(Date.now() / HOUR_MS) + 2) * HOUR_MS);

export const makeFact = (number: number, over: Partial<SlotFact> = {}): SlotFact => {
	const startsAt = toInstant(soon() + number * 30 * MINUTE_MS);
	return {
		scheduleKey: '116',
		startsAt,
		endsAt: toInstant(startsAt + 30 * MINUTE_MS),
		service: '',
		status: 'free',
		capacity: 1,
		remaining: 1,
		sourceSlotId: `slot-${number}`,
		version: '1',
		kinds: null,
		bookUrl: null,
		bookPhone: null,
		...over
	};
};

export const makeFacts = (count: number, over: Partial<SlotFact> = {}): SlotFact[] =>
	Array.from({ length: count }, (_, number) => makeFact(number, over));

export const makeSchedule = (over: Partial<ScheduleFact> = {}): ScheduleFact => ({
	key: '116',
	practitionerName: 'Ana Ruiz',
	practitionerNpi: null,
	organizationName: 'Big Sky Dermatology',
	specialtyIds: ['dermatology'],
	regions: ['US-MT'],
	kinds: ['video'],
	languages: ['en'],
	planIds: null,
	zone: 'America/Denver',
	phone: null,
	...over
});

export const makeAnswer = (over: Partial<SpokenAnswer> = {}): SpokenAnswer => ({
	state: 'complete',
	validAt: toInstant(Date.now()),
	window: { from: toInstant(Date.now() - DAY_MS), to: toInstant(Date.now() + 14 * DAY_MS) },
	listing: { form: 'full', facts: [] },
	schedules: [makeSchedule()],
	unreadSchedules: [],
	explicitEmpty: false,
	flags: noFlags,
	refused: [],
	maxAgeMs: null,
	cursor: {},
	bytes: 1_000,
	...over
});

export const listing = (
	facts: readonly SlotFact[],
	over: Partial<SpokenAnswer> = {}
): SpokenAnswer => makeAnswer({ listing: { form: 'full', facts }, ...over });

export const makeSilence = (over: Partial<SilentAnswer> = {}): SilentAnswer => ({
	state: 'silent',
	reason: 'http_error',
	detail: 'The server answered 500.',
	retryAfterMs: null,
	bytes: 0,
	...over
});

export const makeSource = (over: Partial<SourceSettings> = {}): SourceSettings =>
	SourceSettings.parse({
		key: 'big-sky',
		name: 'Big Sky Dermatology',
		kind: 'fhir-slots',
		url: 'http://127.0.0.1:9/fhir',
		minIntervalMs: 250,
		allowPrivate: true,
		// A publisher that only lists cannot be booked at (A77).
		booking: over.kind === 'smart-scheduling-links' ? 'link' : 'fhir',
		...over
	});

export type FakeConnector = Connector & {
	requests: PollRequest[];
	settled: { token: string; committed: boolean }[];
	/** What the next polls answer, one after another; the last one stays. */
	answers: ((request: PollRequest) => Answer | Promise<Answer>)[];
};

export const createFakeConnector = (...answers: FakeConnector['answers']): FakeConnector => {
	const fake: FakeConnector = {
		requests: [],
		settled: [],
		answers,
		poll: async (request) => {
			fake.requests.push(request);
			const next = fake.answers.length > 1 ? fake.answers.shift() : fake.answers[0];
			if (next === undefined) throw new Error('no answer was prepared');
			return await next(request);
		},
		settle: (_key, token, committed) => {
			fake.settled.push({ token, committed });
		},
		book: null,
		findBooking: null
	};
	return fake;
};

export type LogLine = { level: string; event: string } & Record<string, unknown>;

/** A log whose lines the test can read. */
export const createTestLog = (): { log: Log; lines: LogLine[]; events: () => string[] } => {
	const lines: LogLine[] = [];
	const log = createLog({
		name: 'test',
		level: 'debug',
		destination: { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }
	});
	return { log, lines, events: () => lines.map((line) => line.event) };
};

/** Something that lets go when told: to hold a poll where the test wants it. */
export const createGate = (): { passed: Promise<void>; open: () => void } => {
	let open = (): void => {};
	const passed = new Promise<void>((resolve) => {
		open = resolve;
	});
	return { passed, open };
};

/** One and the same connector for sources of every kind. */
export const ofEveryKind = <C extends Connector>(connector: C): Record<SourceKind, C> =>
	Object.fromEntries(sourceKinds.map((kind) => [kind, connector])) as Record<SourceKind, C>;
