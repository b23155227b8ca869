// The rules of holds, bookings, availability, insurance, the board and alerts as pure functions.
import { expect, test } from 'vitest';
import {
	ALERT_COOLDOWN_MS,
	decideFilling,
	decideOpened,
	hoursLeft,
	isCoolingDown,
	OPENED_MIN,
	SUPPLY_FLOOR
} from '#domain/availability.ts';
import { endOf, matchesDayPart, matchesSchedule, startOf } from '#domain/board.ts';
import { bookingStates, canMove, isBornBy } from '#domain/booking.ts';
import { isLive } from '#domain/hold.ts';
import { ScheduleId, SlotId } from '#domain/ids.ts';
import { checkInsurance } from '#domain/insurance.ts';
import { toInstant } from '#domain/time.ts';
import { wallTimeAt } from '#domain/zone.ts';

test.each([
	[999, true],
	[1_000, false],
	[1_001, false]
])('[H1] at %i ms a hold that ends at 1000 ms is live: %s', (now, live) => {
	expect(isLive({ expiresAt: toInstant(1_000) }, toInstant(now))).toBe(live);
});

test('[K1] the moves of a booking are these and no others', () => {
	const allowed = bookingStates.flatMap((from) =>
		bookingStates.filter((to) => canMove(from, to)).map((to) => `${from} > ${to}`)
	);
	expect(allowed).toEqual([
		'confirming > booked',
		'confirming > rejected',
		'confirming > unconfirmed',
		'confirming > handed_over',
		'booked > cancelling',
		'booked > cancelled',
		'unconfirmed > booked',
		'unconfirmed > rejected',
		'handed_over > booked',
		'handed_over > cancelled',
		'cancelling > booked',
		'cancelling > cancelled'
	]);
});

test.each([
	// The first place on Earth begins its day 14 hours before UTC does.
	['2026-03-01', '2026-03-01T00:00:00Z', true],
	['2026-03-02', '2026-03-01T09:59:59Z', false],
	['2026-03-02', '2026-03-01T10:00:00Z', true],
	['2027-01-01', '2026-12-31T09:00:00Z', false],
	['2999-01-01', '2026-03-01T00:00:00Z', false],
	['1961-05-23', '2026-03-01T00:00:00Z', true]
])('[K20] born on %s can be told at %s: %s', (bornOn, at, expected) => {
	expect(isBornBy(bornOn, toInstant(Date.parse(at)))).toBe(expected);
});

test.each([
	// left, of, taken lately, is filling already → fills up
	[5, 20, 2, false, true],
	[6, 20, 2, false, false],
	[5, 20, 1, false, false],
	[8, 20, 1, true, true],
	[9, 20, 1, true, false],
	[5, 20, 0, true, false],
	[0, 20, 9, true, false],
	[0, 20, 9, false, false],
	[1, SUPPLY_FLOOR - 1, 5, false, false],
	[2, SUPPLY_FLOOR, 5, false, true]
])('[L1] %i left of %i, %i taken lately, filling %s: %s', (...row) => {
	const [left, of, takenLately, is, fills] = row;
	expect(decideFilling({ left, of, takenLately }, is)).toBe(fills);
});

test('[L1] a calendar on the edge does not flap', () => {
	let filling = false;
	let turns = 0;
	for (let i = 0; i < 100; i += 1) {
		const next = decideFilling({ left: i % 2 === 0 ? 5 : 6, of: 20, takenLately: 2 }, filling);
		if (next !== filling) turns += 1;
		filling = next;
	}
	expect(turns).toBe(1);
});

test.each([
	[0, 1, 1, true],
	[0, 0, 1, false],
	[0, 2, 0, false],
	[4, 5, 1, false],
	[4, 4 + OPENED_MIN, OPENED_MIN, true]
])('[L2] %i before, %i now, %i new: opened is %s', (before, now, fresh, opened) => {
	expect(decideOpened(before, now, fresh)).toBe(opened);
});

test.each([
	[null, false],
	[1_000 - ALERT_COOLDOWN_MS + 1, true],
	[1_000 - ALERT_COOLDOWN_MS, false]
])('[L3] told at %s, at 1000 still quiet: %s', (told, quiet) => {
	expect(isCoolingDown(told === null ? null : toInstant(told), toInstant(1_000))).toBe(quiet);
});

test.each([
	[3, 0, null],
	[3, 1, 3],
	[3, 2, 2],
	[1, 60, 1]
])('[B5] %i left at %i an hour are gone in %s hours', (left, perHour, hours) => {
	expect(hoursLeft(left, perHour)).toBe(hours);
});

test.each([
	[['hmo', 'ppo'], 'hmo', 'yes'],
	[['ppo'], 'hmo', 'no'],
	[[], 'hmo', 'unknown'],
	[null, 'hmo', 'unknown'],
	[['hmo'], null, 'not_asked']
] as const)('[I1] %j asked for %s: %s', (plans, plan, answer) => {
	expect(checkInsurance(plans, plan)).toBe(answer);
});

test.each([
	[0, 'morning'],
	[11, 'morning'],
	[12, 'afternoon'],
	[16, 'afternoon'],
	[17, 'evening'],
	[23, 'evening']
] as const)('[B1] %i o’clock where the person is, is %s', (hour, dayPart) => {
	const zone = 'America/Denver';
	// Both sides of the change of the clocks of 1 November 2026.
	for (const day of [Date.UTC(2026, 9, 31), Date.UTC(2026, 10, 2)]) {
		for (let minute = 0; minute < 24 * 60; minute += 30) {
			const at = toInstant(day + minute * 60_000);
			if (wallTimeAt(at, zone).hour !== hour) continue;
			expect(matchesDayPart({ dayPart, zone }, at)).toBe(true);
			expect(matchesDayPart({ dayPart: 'any', zone }, at)).toBe(true);
			const other = dayPart === 'evening' ? 'morning' : 'evening';
			expect(matchesDayPart({ dayPart: other, zone }, at)).toBe(false);
		}
	}
});

test.each([
	[{}, true],
	[{ kinds: [] }, true],
	[{ languages: [] }, true],
	[{ regions: [] }, true],
	[{ kinds: ['video', 'phone'] as const }, true],
	[{ kinds: ['video'] as const }, false],
	[{ languages: ['en'] }, false],
	[{ regions: ['US-NY'] }, false]
])('[B2] a provider with %j matches: %s', (over, matches) => {
	const card = { kinds: ['phone'] as const, languages: ['es'], regions: ['US-MT'], ...over };
	const query = { kinds: ['phone'] as const, language: 'es', region: 'US-MT' };
	expect(matchesSchedule(query, card)).toBe(matches);
});

test('[B7] a time on the wire begins and ends at whole minutes', () => {
	const slot = [SlotId.parse(1), ScheduleId.parse(2), 29_000_000, 25, 1, 1] as const;
	expect(startOf(slot)).toBe(29_000_000 * 60_000);
	expect(endOf(slot) - startOf(slot)).toBe(25 * 60_000);
});
