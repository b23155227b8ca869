// Visits cut out of opening hours, on every side of a change of clocks in every US zone.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { regions } from '#domain/codes.ts';
import { OpeningHours, visitsWithin } from '#domain/opening-hours.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { offsetMinutesAt, wallTimeAt } from '#domain/zone.ts';

const everyDay = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const zones = [...new Set(regions.flatMap(({ timeZones }) => timeZones))];
const at = (text: string) => toInstant(Date.parse(text));

const startsOf = (from: string, to: string, hours: OpeningHours[], minutes = 60) =>
	visitsWithin(hours, 'America/New_York', {
		from: at(from),
		to: at(to),
		lengthMs: minutes * MINUTE_MS
	}).map(({ startsAt }) => new Date(startsAt).toISOString().slice(0, 16));

test('[A53] an ordinary day is cut into visits that end before closing', () => {
	const hours: OpeningHours[] = [{ days: ['tue'], from: '09:00', to: '11:30' }];
	expect(startsOf('2026-11-30T00:00Z', '2026-12-07T00:00Z', hours)).toEqual([
		'2026-12-01T14:00',
		'2026-12-01T15:00'
	]);
});

test('[A53] the day that loses an hour loses visits, the day that gains one gains them', () => {
	const hours: OpeningHours[] = [{ days: ['sun'], from: '00:00', to: '04:00' }];
	expect(startsOf('2026-03-08T00:00Z', '2026-03-09T00:00Z', hours)).toEqual([
		'2026-03-08T05:00',
		'2026-03-08T06:00',
		'2026-03-08T07:00'
	]);
	expect(startsOf('2026-11-01T00:00Z', '2026-11-02T00:00Z', hours)).toHaveLength(5);
});

test('[A53] hours may pass midnight, and 24:00 is the end of a day', () => {
	const late: OpeningHours[] = [{ days: ['mon'], from: '22:00', to: '01:00' }];
	expect(startsOf('2026-12-01T00:00Z', '2026-12-09T00:00Z', late)).toEqual([
		'2026-12-01T03:00',
		'2026-12-01T04:00',
		'2026-12-01T05:00',
		'2026-12-08T03:00',
		'2026-12-08T04:00',
		'2026-12-08T05:00'
	]);
	const toMidnight: OpeningHours[] = [{ days: ['mon'], from: '23:00', to: '24:00' }];
	expect(startsOf('2026-12-07T00:00Z', '2026-12-09T00:00Z', toMidnight)).toEqual([
		'2026-12-08T04:00'
	]);
	expect(OpeningHours.safeParse({ days: ['mon'], from: '9:00', to: '17:00' }).success).toBe(false);
	expect(OpeningHours.safeParse({ days: ['mon'], from: '09:00', to: '24:30' }).success).toBe(false);
});

const clock = fc
	.record({ hour: fc.integer({ min: 0, max: 23 }), minute: fc.constantFrom(0, 15, 30, 45) })
	.map(({ hour, minute }) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);

/** An instant within two days of a change of clocks between 2024 and 2030. */
const nearChange = fc
	.record({
		year: fc.integer({ min: 2024, max: 2030 }),
		isSpring: fc.boolean(),
		hours: fc.integer({ min: -48, max: 48 })
	})
	.map(({ year, isSpring, hours }) => {
		const month = isSpring ? 2 : 10;
		const first = new Date(Date.UTC(year, month, 1)).getUTCDay();
		const sunday = 1 + ((7 - first) % 7) + (isSpring ? 7 : 0);
		return toInstant(Date.UTC(year, month, sunday, 7) + hours * HOUR_MS);
	});

const minuteOfDay = (instant: number, zone: string): number => {
	const wall = wallTimeAt(toInstant(instant), zone);
	return wall.hour * 60 + wall.minute;
};

test('[A53] around every change of clocks visits keep their length, their order and the hours', () => {
	const property = fc.property(
		fc.constantFrom(...zones),
		fc.array(fc.record({ from: clock, to: clock }), { minLength: 1, maxLength: 3 }),
		fc.constantFrom(10, 15, 20, 30, 45, 60),
		nearChange,
		(zone, spans, minutes, from) => {
			const hours = spans.map((span) => ({ days: [...everyDay], ...span }));
			const to = toInstant(from + 3 * DAY_MS);
			const visits = visitsWithin(hours, zone, { from, to, lengthMs: minutes * MINUTE_MS });
			let free = -Infinity;
			for (const { startsAt, endsAt } of visits) {
				expect(endsAt - startsAt).toBe(minutes * MINUTE_MS);
				expect(startsAt).toBeGreaterThanOrEqual(Math.max(free, from));
				expect(startsAt).toBeLessThan(to);
				free = endsAt;
				// On days without a change the wall clock itself is inside one of the openings.
				const day = offsetMinutesAt(toInstant(startsAt - DAY_MS), zone);
				if (day !== offsetMinutesAt(toInstant(startsAt + DAY_MS), zone)) continue;
				const start = minuteOfDay(startsAt, zone);
				const isOpen = spans.some((span) => {
					const opens = Number(span.from.slice(0, 2)) * 60 + Number(span.from.slice(3));
					const closes = Number(span.to.slice(0, 2)) * 60 + Number(span.to.slice(3));
					const length = closes > opens ? closes - opens : closes - opens + 1_440;
					return (start - opens + 1_440) % 1_440 <= length - minutes;
				});
				expect(isOpen).toBe(true);
			}
		}
	);
	fc.assert(property, { numRuns: 150, seed: 20_261 });
});

test('[A53] a day of the whole clock has 23, 24 or 25 hours of visits', () => {
	const hours: OpeningHours[] = [{ days: [...everyDay], from: '00:00', to: '24:00' }];
	for (const zone of zones) {
		const visits = visitsWithin(hours, zone, {
			from: at('2024-01-01T00:00Z'),
			to: at('2025-01-01T00:00Z'),
			lengthMs: HOUR_MS
		});
		// No gap anywhere in a year: each visit begins where the last one ended.
		expect(visits.every((visit, n) => n === 0 || visit.startsAt === visits[n - 1]?.endsAt)).toBe(
			true
		);
		expect(visits.length).toBeGreaterThanOrEqual(366 * 24 - 1);
	}
});
