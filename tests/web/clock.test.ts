import { expect, test } from 'vitest';
import { toInstant } from '#domain/time.ts';
import { ageOf, clockPartsAt, countdownText, dayKeyAt, daysBetween } from '#lib/clock.ts';
import { heatOf, levelOf } from '#lib/heat.ts';

const at = (text: string) => toInstant(Date.parse(text));

test.each([
	['2026-11-22T06:30:00Z', 'America/Denver', '2026-11-21'],
	['2026-11-22T07:30:00Z', 'America/Denver', '2026-11-22'],
	['2026-11-01T06:30:00Z', 'America/Denver', '2026-11-01'],
	['2026-11-21T18:00:00Z', 'Pacific/Guam', '2026-11-22']
])('[U3] %s in %s falls on %s', (instant, zone, day) => {
	expect(dayKeyAt(at(instant), zone)).toBe(day);
});

test('[U3] days between two keys do not depend on a change of the clocks', () => {
	expect(daysBetween('2026-10-31', '2026-11-02')).toBe(2);
	expect(daysBetween('2026-03-07', '2026-03-09')).toBe(2);
});

test.each([
	['2026-11-21T07:00:00Z', { hour12: 12, minute: 0, isPm: false }],
	['2026-11-21T19:00:00Z', { hour12: 12, minute: 0, isPm: true }],
	['2026-11-21T22:30:00Z', { hour12: 3, minute: 30, isPm: true }]
])('[U3] the clock of Denver at %s', (instant, parts) => {
	expect(clockPartsAt(at(instant), 'America/Denver')).toEqual(parts);
});

test.each([
	[4_999, { unit: 'now', count: 0 }],
	[59_999, { unit: 's', count: 59 }],
	[60_000, { unit: 'min', count: 1 }],
	[3_600_000, { unit: 'h', count: 1 }],
	[172_800_000, { unit: 'd', count: 2 }]
])('[U4] %i ms is %o', (ms, age) => {
	expect(ageOf(ms)).toEqual(age);
});

test.each([
	[300_000, '5:00'],
	[299_999, '5:00'],
	[1, '0:01'],
	[0, '0:00'],
	[-5, '0:00']
])('[U4] with %i ms left the countdown says %s', (ms, text) => {
	expect(countdownText(ms)).toBe(text);
});

test('[U15] open times are counted by local day and hour, office hours at least', () => {
	const hour = (text: string): number => at(text) / 3_600_000;
	const heat = heatOf(
		[
			[hour('2026-11-21T23:00:00Z'), 2],
			[hour('2026-11-23T02:00:00Z'), 5]
		],
		{ zone: 'America/Denver', now: at('2026-11-21T20:00:00Z') }
	);
	expect(heat.days.map(({ key }) => key)).toHaveLength(7);
	expect(heat.hours[0]).toBe(8);
	expect(heat.hours.at(-1)).toBe(19);
	const count = (day: number, local: number) => heat.days[day]?.counts[heat.hours.indexOf(local)];
	expect(count(0, 16)).toBe(2);
	expect(count(1, 19)).toBe(5);
	expect(heat.most).toBe(5);
	expect([0, 1, 2, 5].map((open) => levelOf(open, heat.most))).toEqual([0, 1, 2, 4]);
});
