import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MINUTE_MS, parseOffsetInstant } from '#domain/time.ts';

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

const writeOffset = (minutes: number): string =>
	`${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;

const offsets = fc.integer({ min: -14 * 60, max: 14 * 60 });
const times = fc.integer({ min: Date.UTC(1900, 0, 1), max: Date.UTC(2200, 0, 1) });

describe('instants', () => {
	test('[T1] are what the wall clock shows, less the offset', () => {
		fc.assert(
			fc.property(times, offsets, (ms, offset) => {
				const wall = new Date(ms + offset * MINUTE_MS).toISOString().slice(0, -1);
				expect(parseOffsetInstant(`${wall}${writeOffset(offset)}`)).toEqual({
					at: ms,
					offsetMinutes: offset
				});
			})
		);
	});

	test.each([
		['2026-11-21T14:30:00Z', '2026-11-21T14:30:00.000Z', 0],
		['2026-11-21T14:30:00-07:00', '2026-11-21T21:30:00.000Z', -420],
		['2026-11-21T14:30:00-0700', '2026-11-21T21:30:00.000Z', -420],
		['2026-11-21T14:30:00-07', '2026-11-21T21:30:00.000Z', -420],
		['2026-11-21T14:30:00.5+05:45', '2026-11-21T08:45:00.500Z', 345],
		['2026-11-21T14:30:00.123456789Z', '2026-11-21T14:30:00.123Z', 0],
		['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z', 0],
		['2026-06-30T23:59:60Z', '2026-07-01T00:00:00.000Z', 0]
	])('[T1] %s', (text, iso, offsetMinutes) => {
		expect(parseOffsetInstant(text)).toEqual({ at: Date.parse(iso), offsetMinutes });
	});

	test.each([
		'2026-11-21',
		'2026-11-21T14:30',
		'2026-11-21T14:30:00',
		'2026-11-21 14:30:00Z',
		'2026-11-21T24:00:00Z',
		'2026-11-21T14:60:00Z',
		'2026-11-21T14:30:61Z',
		'2026-02-29T00:00:00Z',
		'2100-02-29T00:00:00Z',
		'2026-13-01T00:00:00Z',
		'2026-00-01T00:00:00Z',
		'2026-01-00T00:00:00Z',
		'2026-04-31T00:00:00Z',
		'2026-11-21T14:30:00+14:01',
		'2026-11-21T14:30:00+05:60',
		'2026-11-21T14:30:00z',
		'+12026-11-21T14:30:00Z',
		'2026-11-21T14:30:00Z ',
		'',
		'now'
	])('[T1] %j is none', (text) => {
		expect(parseOffsetInstant(text)).toBeNull();
	});

	test('[T1] nothing that is thrown at it throws', () => {
		fc.assert(
			fc.property(fc.string(), (text) => {
				const parsed = parseOffsetInstant(text);
				expect(parsed === null || Number.isFinite(parsed.at)).toBe(true);
			})
		);
	});
});
