// The contract of every connector, over small practices that speak the other formats: healthy and
// broken, whatever they do wrong takes nothing away, and offers nothing that is taken.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { sourceKinds, SourceSettings } from '#domain/source.ts';
import { applyChanges, diffDelta, diffFull } from '#domain/slot-diff.ts';
import type { Answer } from '#domain/answer.ts';
import type { FaultRequest } from '../../../demo/clinics/faults.ts';
import { startOffice, type RunningOffice } from '../../../demo/clinics/small/start.ts';
import { mustClose } from '../../support/leaks.ts';
import { createPoller, factsOf, makeConnectors, makeSource, spoken } from './poll-once.ts';
import { stages } from './office-stages.ts';

/**
 * A Monday, a little past noon in Denver, so that no test depends on the day it runs on: at noon itself
 * a visit begins and the window gains an hour, and a millisecond decides what is true.
 */
const startAt = Date.UTC(2026, 10, 30, 19, 0, 30);

const apply = (known: Map<SlotKey, SlotFact>, answer: Answer): Map<SlotKey, SlotFact> => {
	if (answer.state === 'silent') return known;
	const { listing } = answer;
	if (listing.form === 'unchanged') return known;
	const changes =
		listing.form === 'full'
			? diffFull(known, listing.facts, answer)
			: diffDelta(known, listing, answer);
	return applyChanges(known, changes);
};

let connectors: ReturnType<typeof makeConnectors>;
beforeAll(() => {
	connectors = makeConnectors({ deadlineMs: 10_000, secretOf: async () => 'test-key' });
});
afterAll(() => connectors.close());

describe.each(stages)('$name', (stage) => {
	let running: RunningOffice;
	beforeAll(async () => {
		running = mustClose('office', await startOffice(stage.format, { startAt }));
	});
	afterAll(() => running.close());

	let serial = 0;
	const follow = () => {
		serial += 1;
		const { kind, notes } = stage;
		const key = `${kind}-${serial}`;
		const source = makeSource({ key, name: running.office.name, kind, url: running.url, notes });
		const poller = createPoller(connectors[kind], source, running.now);
		let known = new Map<SlotKey, SlotFact>();
		let cursor: Readonly<Record<string, unknown>> = {};
		const poll = async (over: Parameters<typeof poller.poll>[0] = {}): Promise<Answer> => {
			const answer = await poller.poll({ cursor, ...over });
			known = apply(known, answer);
			if (answer.state !== 'silent' && over.commit !== false) cursor = answer.cursor;
			return answer;
		};
		return { poll, known: () => known };
	};

	/** Starts of what is open, by what we know and as it truly is. */
	const open = (known: ReadonlyMap<SlotKey, SlotFact>): number[] =>
		[...known.values()]
			.filter(({ remaining, startsAt }) => remaining > 0 && startsAt >= running.now())
			.map(({ startsAt }) => startsAt)
			.toSorted((a, b) => a - b);
	const inWindow = (at: number): boolean =>
		at < Math.ceil((running.now() + 1_209_600_000) / 3_600_000) * 3_600_000;
	const truth = (): number[] =>
		running.office
			.visits()
			.filter((visit) => visit.isFree && inWindow(visit.startAt))
			.map((visit) => visit.startAt);
	const someFree = () => must(running.office.visits().filter(({ isFree }) => isFree)[20], 'free');

	test('[A3] a healthy practice is read as it truly is', async () => {
		const { poll, known } = follow();
		const answer = spoken(await poll());
		expect(answer).toMatchObject({ state: 'complete', listing: { form: 'full' } });
		expect(open(known())).toEqual(truth());
		expect(answer.flags).toMatchObject({
			badRecords: 0,
			orphans: 0,
			repeatedIds: 0,
			duplicates: 0
		});
		expect(answer.schedules).toMatchObject([
			{
				zone: 'America/Denver',
				kinds: ['video'],
				regions: ['US-CO'],
				specialtyIds: ['dermatology']
			}
		]);
		expect(answer.bytes).toBeGreaterThan(0);
	});

	test('[A4] unchanged is told as unchanged, changes as a delta, and both equal the truth', async () => {
		const { poll, known } = follow();
		await poll();
		const second = spoken(await poll());
		expect(second.listing).toEqual({ form: 'unchanged' });
		expect(second.schedules).toBeNull();
		const { id } = someFree();
		running.office.setFree(id, false);
		const lost = spoken(await poll({ commit: false }));
		expect(lost.listing.form).toBe('delta');
		expect(spoken(await poll()).listing).toEqual(lost.listing);
		expect(open(known())).toEqual(truth());
		running.office.setFree(id, true);
		await poll();
		expect(open(known())).toEqual(truth());
		expect(spoken(await poll({ wantFull: true })).listing.form).toBe('full');
		expect(spoken(await poll({ basis: 'of another process' })).listing.form).toBe('full');
		expect(open(known())).toEqual(truth());
	});

	const broken: readonly (readonly [string, FaultRequest])[] = [
		['http_500', { kind: 'http_500' }],
		['http_429', { kind: 'http_429', retryAfterS: 7 }],
		['hang', { kind: 'hang' }],
		['slow_loris', { kind: 'slow_loris', delayMs: 30 }],
		['truncated_page', { kind: 'truncated_page' }],
		['truncated_page, politely', { kind: 'truncated_page', quiet: true }],
		['invalid_json', { kind: 'invalid_json' }],
		['one bad answer', { kind: 'http_500', count: 1 }],
		['empty_answer', { kind: 'empty_answer', count: 1 }]
	];

	test.each(broken)('[A5] %s takes nothing away and frees nothing', async (_name, fault) => {
		const { poll, known } = follow();
		await poll();
		const before = new Set(open(known()));
		running.setFault(fault);
		const isSlow = fault.kind === 'hang' || fault.kind === 'slow_loris';
		const how = isSlow ? { signal: AbortSignal.timeout(250) } : {};
		const answer = await poll({ wantFull: true, ...how });
		running.setFault(null);
		if (fault.kind === 'empty_answer' && stage.isFreeListed) {
			// The guard of the store judges a list that shrinks to nothing; it must not be explicit.
			expect(spoken(answer).explicitEmpty).toBe(false);
		} else {
			expect(open(known()).filter((at) => !before.has(at))).toEqual([]);
			expect([...before].filter((at) => !open(known()).includes(at))).toEqual([]);
		}
		expect(spoken(await poll({ wantFull: true })).state).toBe('complete');
		expect(open(known())).toEqual(truth());
	});

	test('[A6] a practice in trouble is silent, with a reason and the time to wait', async () => {
		const { poll } = follow();
		const faults: readonly (readonly [FaultRequest, object])[] = [
			[{ kind: 'http_500' }, { reason: 'http_error' }],
			[
				{ kind: 'http_429', retryAfterS: 7 },
				{ reason: 'throttled', retryAfterMs: 7_000 }
			],
			[{ kind: 'hang' }, { reason: 'timeout' }]
		];
		for (const [fault, expected] of faults) {
			running.setFault(fault);
			const how = fault.kind === 'hang' ? { signal: AbortSignal.timeout(250) } : {};
			const answer = await poll(how);
			running.setFault(null);
			expect(answer).toMatchObject({ state: 'silent', ...expected });
		}
	});

	test('[A9] a clock that is wrong by a year changes no slot', async () => {
		const { poll, known } = follow();
		await poll();
		const before = open(known());
		for (const skewMs of [31_536_000_000, -31_536_000_000]) {
			running.setFault({ kind: 'clock_skew', skewMs });
			expect(spoken(await poll({ wantFull: true })).state).toBe('complete');
			expect(open(known())).toEqual(before);
		}
		running.setFault(null);
	});

	test('[A10] all facts carry distinct natural keys', async () => {
		const facts = factsOf(await follow().poll());
		expect(new Set(facts.map(slotKeyOf)).size).toBe(facts.length);
	});
});

test('[A57] a source without the notes its kind needs is misconfigured, and not asked', async () => {
	for (const kind of new Set(stages.map((stage) => stage.kind))) {
		const source = makeSource({ kind, notes: {} });
		const answer = await createPoller(connectors[kind], source, () => startAt).poll();
		expect(answer).toMatchObject({ state: 'silent', reason: 'misconfigured', bytes: 0 });
	}
});

test('[A55] a calendar that holds nothing any more is believed the second time', async () => {
	const running = mustClose('office', await startOffice('calendar', { startAt }));
	const { notes } = must(stages.find(({ kind }) => kind === 'ical'));
	const source = makeSource({ kind: 'ical', url: running.url, notes });
	const poller = createPoller(connectors.ical, source, running.now);
	const first = spoken(await poller.poll());
	running.setFault({ kind: 'empty_answer' });
	const second = spoken(await poller.poll({ cursor: first.cursor }));
	expect(second).toMatchObject({ state: 'partial', listing: { form: 'full', facts: [] } });
	const third = await poller.poll({ cursor: second.cursor });
	expect(factsOf(third).every(({ remaining }) => remaining === 1)).toBe(true);
	await running.close();
});

test('[A77] only sources that take bookings can be set to be booked at', () => {
	for (const kind of sourceKinds) {
		const settings = {
			key: 'one',
			name: 'One',
			url: 'https://one.example/',
			kind,
			booking: 'fhir'
		};
		expect(SourceSettings.safeParse(settings).success).toBe(connectors[kind].book !== null);
	}
});
