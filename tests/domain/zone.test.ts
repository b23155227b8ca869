import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { regions } from '#domain/codes.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import {
	dayPartAt,
	instantOfWall,
	isZone,
	offsetMinutesAt,
	wallTimeAt,
	type WallTime
} from '#domain/zone.ts';
import { at } from './facts.ts';

/** Zones of the regions we serve, and the strangest of the world. */
const zones = [
	...new Set([
		...regions.flatMap((region) => region.timeZones),
		'UTC',
		'Asia/Kathmandu',
		'Australia/Lord_Howe',
		'America/St_Johns',
		'Pacific/Chatham',
		'Africa/Casablanca',
		'Europe/Dublin',
		'Asia/Gaza',
		'America/Havana'
	])
];
const year2024 = Date.UTC(2024, 0, 1);
const year2031 = Date.UTC(2031, 0, 1);

const asUtc = (wall: WallTime): number =>
	Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second);

/** Instants at which the offset changes, by halving the days on which it differs. */
const transitionsOf = (zone: string): Instant[] => {
	const found: Instant[] = [];
	for (let day = year2024; day < year2031; day += DAY_MS) {
		const before = offsetMinutesAt(toInstant(day), zone);
		if (before === offsetMinutesAt(toInstant(day + DAY_MS), zone)) continue;
		let [low, high] = [day, day + DAY_MS];
		while (high - low > MINUTE_MS) {
			const middle = low + Math.floor((high - low) / 2 / MINUTE_MS) * MINUTE_MS;
			if (offsetMinutesAt(toInstant(middle), zone) === before) low = middle;
			else high = middle;
		}
		found.push(toInstant(high));
	}
	return found;
};

/** The offset as Intl names it (`GMT-06:00`), not as we work it out. */
const namedOffset = (ms: number, zone: string): number => {
	const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' })
		.formatToParts(ms)
		.find((part) => part.type === 'timeZoneName')?.value;
	const [, sign = '+', hours = '0', minutes = '0'] =
		/GMT([+-])(\d\d):(\d\d)/.exec(parts ?? '') ?? [];
	return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
};

describe('offsets', () => {
	test('[T2] are those of the IANA database on both sides of every change, 2024 to 2030', () => {
		let changes = 0;
		for (const zone of zones) {
			for (const change of transitionsOf(zone)) {
				changes += 1;
				for (const ms of [change - 1, change, change + 1, change - HOUR_MS, change + HOUR_MS]) {
					expect(offsetMinutesAt(toInstant(ms), zone)).toBe(namedOffset(ms, zone));
				}
			}
		}
		expect(changes).toBeGreaterThan(300);
	});

	test('[T2] are those of the IANA database at any time', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...zones),
				fc.integer({ min: year2024, max: year2031 }),
				(zone, ms) => {
					expect(offsetMinutesAt(toInstant(ms), zone)).toBe(namedOffset(ms, zone));
					const wall = wallTimeAt(toInstant(ms), zone);
					const seconds = Math.floor(ms / 1_000) * 1_000;
					expect(asUtc(wall)).toBe(seconds + namedOffset(ms, zone) * MINUTE_MS);
				}
			)
		);
	});

	test.each([
		['2026-03-08T08:59:59Z', 'America/Denver', -420],
		['2026-03-08T09:00:00Z', 'America/Denver', -360],
		['2026-11-01T07:59:59Z', 'America/Denver', -360],
		['2026-11-01T08:00:00Z', 'America/Denver', -420],
		['2026-07-01T00:00:00Z', 'America/Phoenix', -420],
		['2026-07-01T00:00:00Z', 'Asia/Kathmandu', 345],
		['2026-10-03T15:30:00Z', 'Australia/Lord_Howe', 660]
	])('[T2] at %s in %s: %i minutes', (iso, zone, minutes) => {
		expect(offsetMinutesAt(at(iso), zone)).toBe(minutes);
	});

	test('[T2] of a zone that is none do not exist', () => {
		expect(isZone('America/Denver')).toBe(true);
		for (const zone of ['Mars/Olympus', '', 'America/denver; drop'])
			expect(isZone(zone)).toBe(false);
		expect(() => wallTimeAt(toInstant(0), 'Mars/Olympus')).toThrow(RangeError);
	});
});

describe('wall time', () => {
	test('[T3] leads back to the instant that showed it, or to its first pass', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...zones),
				fc.integer({ min: year2024 / 1_000, max: year2031 / 1_000 }),
				(zone, second) => {
					const instant = toInstant(second * 1_000);
					const found = instantOfWall(wallTimeAt(instant, zone), zone);
					expect(wallTimeAt(found, zone)).toEqual(wallTimeAt(instant, zone));
					expect(found).toBeLessThanOrEqual(instant);
				}
			)
		);
	});

	test('[T3] at every change: skipped minutes move on, repeated ones are the first', () => {
		for (const zone of zones) {
			for (const change of transitionsOf(zone)) {
				const before = offsetMinutesAt(toInstant(change - 1), zone);
				const after = offsetMinutesAt(change, zone);
				const edge = change + Math.min(before, after) * MINUTE_MS;
				const length = Math.abs(after - before) * MINUTE_MS;
				for (const into of [0, MINUTE_MS, length / 2, length - 1_000]) {
					const w = new Date(edge + into);
					const wall: WallTime = {
						year: w.getUTCFullYear(),
						month: w.getUTCMonth() + 1,
						day: w.getUTCDate(),
						hour: w.getUTCHours(),
						minute: w.getUTCMinutes(),
						second: w.getUTCSeconds()
					};
					// Read with the offset before the change: later by the gap's length in spring, the
					// first of two in autumn (RFC 5545, 3.3.5).
					expect(instantOfWall(wall, zone)).toBe(edge + into - before * MINUTE_MS);
				}
			}
		}
	});

	test.each([
		[2, 30, '2026-03-08T09:30:00Z', 3, 8],
		[1, 30, '2026-11-01T07:30:00Z', 11, 1],
		[2, 0, '2026-11-01T09:00:00Z', 11, 1],
		[9, 0, '2026-06-15T15:00:00Z', 6, 15]
	])('[T3] %i:%i in Denver is %s', (...[hour, minute, iso, month, day]) => {
		const wall = { year: 2026, month, day, hour, minute, second: 0 };
		expect(instantOfWall(wall, 'America/Denver')).toBe(at(iso));
	});
});

describe('day parts', () => {
	test.each([
		['2026-11-21T11:59:59Z', 'UTC', 'morning'],
		['2026-11-21T12:00:00Z', 'UTC', 'afternoon'],
		['2026-11-21T16:59:59Z', 'UTC', 'afternoon'],
		['2026-11-21T17:00:00Z', 'UTC', 'evening'],
		['2026-11-21T00:00:00Z', 'UTC', 'morning'],
		['2026-11-21T18:30:00Z', 'America/Denver', 'morning'],
		['2026-11-21T19:00:00Z', 'America/Denver', 'afternoon'],
		['2026-11-22T00:30:00Z', 'America/Denver', 'evening'],
		['2026-07-01T18:00:00Z', 'America/Denver', 'afternoon'],
		['1969-12-31T23:00:00Z', 'UTC', 'evening']
	])('[T4] %s in %s is in the %s', (iso, zone, part) => {
		expect(dayPartAt(at(iso), zone)).toBe(part);
	});

	test('[T4] follow the wall clock of the zone', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...zones),
				fc.integer({ min: year2024, max: year2031 }),
				(zone, ms) => {
					const { hour } = wallTimeAt(toInstant(ms), zone);
					const part = hour < 12 ? 'morning' : hour < 17 ? 'afternoon' : 'evening';
					expect(dayPartAt(toInstant(ms), zone)).toBe(part);
				}
			)
		);
	});
});
