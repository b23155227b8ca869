import { describe, expect, test } from 'vitest';
import type { ClinicBooking } from '#domain/booking.ts';
import type { BookingId, ScheduleId, SlotId } from '#domain/ids.ts';
import type { SourceStatus } from '#domain/status.ts';
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import { clinicLists, takenOf } from '#lib/clinic-lists.ts';
import { groupByDay, type Ranks } from '#lib/day-groups.ts';
import { emptinessOf } from '#lib/emptiness.ts';
import type { ShownSlot } from '#lib/feed-model.ts';
import type { Card } from '#lib/page-board.ts';
import { byTrouble } from '#lib/trouble.ts';

const zone = 'America/Denver';
const at = (text: string) => toInstant(Date.parse(text));

const makeCard = (id: number): Card => ({
	id: id as ScheduleId,
	practitionerName: `Dr. ${id}`,
	organizationName: 'Clinic',
	kinds: ['video'],
	languages: ['en'],
	zone,
	phone: null,
	booking: 'fhir',
	insurance: 'not_asked',
	checkedAt: null,
	freshForMs: 60_000,
	moreOpen: 0,
	closedUntil: null
});

const makeShown = (id: number, card: number, start: string): ShownSlot => ({
	id: id as SlotId,
	scheduleId: card as ScheduleId,
	startMinute: at(start) / MINUTE_MS,
	minutes: 20,
	state: 1,
	left: 1,
	wentAt: null,
	isNew: false
});

describe('[U9] the list', () => {
	const cards = new Map([1, 2].map((id) => [id as ScheduleId, makeCard(id)]));
	const first = makeShown(1, 1, '2026-11-22T06:30:00Z');
	const others = [
		makeShown(2, 2, '2026-11-22T06:40:00Z'),
		makeShown(3, 1, '2026-11-22T06:50:00Z'),
		makeShown(4, 1, '2026-11-22T07:10:00Z')
	];

	test('[U9] days in the viewer’s zone, providers soonest first, times in order', () => {
		const days = groupByDay([...others, first], cards, { zone, ranks: new Map() });
		expect(days.map(({ key, openCount }) => [key, openCount])).toEqual([
			['2026-11-21', 3],
			['2026-11-22', 1]
		]);
		expect(days[0]?.providers.map(({ card }) => card.id)).toEqual([1, 2]);
		expect(days[0]?.providers[0]?.slots.map(({ id }) => id)).toEqual([1, 3]);
	});

	test('[U9] a provider keeps its place when its first time goes', () => {
		const ranks: Ranks = new Map();
		groupByDay([first, ...others], cards, { zone, ranks });
		const after = groupByDay(others, cards, { zone, ranks });
		expect(after[0]?.providers.map(({ card }) => card.id)).toEqual([1, 2]);
		const anew = groupByDay(others, cards, { zone, ranks: new Map() });
		expect(anew[0]?.providers.map(({ card }) => card.id)).toEqual([2, 1]);
	});
});

describe('[U11] an empty board', () => {
	const query = {
		specialty: 'dermatology',
		region: 'US-MT',
		kinds: [],
		plan: null,
		planOnly: false,
		dayPart: 'any' as const,
		language: null,
		zone,
		scheduleId: null
	};
	const board = { providerCount: 3, unknownCount: 0, outOfPlanCount: 0, query };
	test.each([
		['nobody', { ...board, providerCount: 0 }],
		['unknown', { ...board, unknownCount: 1, query: { ...query, language: 'es' } }],
		['filtered', { ...board, query: { ...query, language: 'es' } }],
		['filtered', { ...board, outOfPlanCount: 2 }],
		['none', board]
	])('[U11] says "%s"', (why, made) => {
		expect(emptinessOf(made)).toBe(why);
	});
});

describe('[U13] the console', () => {
	const makeBooking = (over: Partial<ClinicBooking>): ClinicBooking => ({
		bookingId: 'b' as BookingId,
		state: 'booked',
		slotId: 1 as SlotId,
		scheduleId: 1 as ScheduleId,
		practitionerName: 'Dr. 1',
		zone,
		startsAt: at('2026-11-22T06:00:00Z'),
		endsAt: at('2026-11-22T06:20:00Z'),
		kind: 'video',
		arrivedAt: at('2026-11-21T20:00:00Z'),
		acknowledgedAt: at('2026-11-21T20:01:00Z'),
		isMoved: false,
		patientLabel: 'Rosa M.',
		phone: '406-555-0134',
		reason: null,
		forWhom: 'me',
		...over
	});

	test('[U13] new ones on top, newest first, then today, then later', () => {
		const made = [
			makeBooking({ slotId: 1 as SlotId }),
			makeBooking({ slotId: 2 as SlotId, acknowledgedAt: null }),
			makeBooking({
				slotId: 3 as SlotId,
				acknowledgedAt: null,
				arrivedAt: at('2026-11-21T20:30:00Z')
			}),
			makeBooking({ slotId: 4 as SlotId, startsAt: at('2026-11-22T07:30:00Z') }),
			makeBooking({ slotId: 5 as SlotId, state: 'rejected' })
		];
		const lists = clinicLists({ bookings: made, zone, asOf: at('2026-11-21T21:00:00Z') });
		const ids = (list: readonly ClinicBooking[]) => list.map(({ slotId }) => slotId);
		expect([ids(lists.fresh), ids(lists.today), ids(lists.later)]).toEqual([[3, 2], [1], [4]]);
	});
});

test('[U14] the worst source comes first', () => {
	const make = (name: string, over: Partial<SourceStatus>): SourceStatus => ({
		id: 1,
		key: name,
		name,
		kind: 'fhir-slots',
		freshness: 'fresh',
		lastGoodAt: null,
		lastTriedAt: null,
		lastOutcome: null,
		lastDetail: null,
		failures: 0,
		freshForMs: 1,
		nextPollAt: null,
		schedules: 0,
		openSlots: 0,
		flags: null,
		refused: [],
		recentChanges: [],
		push: null,
		suspect: false,
		emptied: null,
		pausedAt: null,
		pausedBecause: null,
		hasSecret: false,
		...over
	});
	const sorted = [
		make('b', {}),
		make('a', {}),
		make('failing', { failures: 2 }),
		make('suspect', { suspect: true }),
		make('emptied', { emptied: { at: toInstant(0), count: 40 } }),
		make('old', { freshness: 'stale' }),
		make('never', { freshness: 'silent' })
	].toSorted(byTrouble);
	expect(sorted.map(({ name }) => name)).toEqual([
		'never',
		'old',
		'failing',
		'emptied',
		'suspect',
		'a',
		'b'
	]);
});

test('[U51] a day without times is not one of which nothing is taken', () => {
	expect(takenOf({ open: 0, held: 0, taken: 0 })).toBeNull();
	expect(takenOf({ open: 12, held: 0, taken: 0 })).toEqual({ taken: 0, all: 12 });
	expect(takenOf({ open: 2, held: 1, taken: 3 })).toEqual({ taken: 4, all: 6 });
});
