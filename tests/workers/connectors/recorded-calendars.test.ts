// Recorded calendars with edge cases, worked out as the standard says. They are no part of this
// project: they are looked for beside it.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toInstant } from '#domain/time.ts';
import { busyTimeOf } from '#workers/connectors/providers/ical-busy.ts';
import { cutCalendar } from '#workers/connectors/providers/ical-lines.ts';

const folder = resolve(import.meta.dirname, '../../../../shared/fixtures/ics-icaljs');
const isPresent = existsSync(folder);

const read = (name: string, from: string, to: string) => {
	const text = cutCalendar(readFileSync(join(folder, `${name}.ics`)));
	const window = { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) };
	const { spans, refused } = busyTimeOf(text, 'America/Los_Angeles', window);
	return {
		isWhole: text.isWhole,
		refused: refused.map(({ reason }) => reason),
		spans: spans.map(
			({ startsAt, endsAt }) =>
				`${new Date(startsAt).toISOString().slice(0, 16)} ${(endsAt - startsAt) / 60_000}`
		)
	};
};

test(`[A1] recorded calendars are ${isPresent ? 'present' : `absent at ${folder}: nothing checked`}`, () => {
	expect(existsSync(folder)).toBe(isPresent);
});

describe.each(isPresent ? ['recorded calendars'] : [])('%s', () => {
	test.each([
		[
			'daily_recur',
			'2026-03-07T00:00Z',
			'2026-03-10T00:00Z',
			['2026-03-07T13:00 60', '2026-03-08T12:00 60', '2026-03-09T12:00 60']
		],
		[
			'duration_instead_of_dtend',
			'2012-06-01T00:00Z',
			'2012-08-01T00:00Z',
			['2012-06-30T13:00 1440']
		],
		['forced_types', '2012-09-01T00:00Z', '2012-10-01T00:00Z', []],
		['only_dtstart_date', '2012-06-01T00:00Z', '2012-08-01T00:00Z', ['2012-06-30T07:00 1440']],
		['only_dtstart_time', '2012-06-01T00:00Z', '2012-08-01T00:00Z', []],
		['timezone_from_file', '2023-03-01T00:00Z', '2023-04-01T00:00Z', ['2023-03-06T21:23 60']],
		['utc_negative_zero', '2012-08-01T00:00Z', '2012-09-01T00:00Z', ['2012-08-21T21:00 30']],
		[
			'multiple_rrules',
			'2012-03-20T00:00Z',
			'2012-04-10T00:00Z',
			[
				'2012-03-26T18:00 30',
				'2012-04-01T18:00 30',
				'2012-04-02T18:00 30',
				'2012-04-08T18:00 30',
				'2012-04-09T18:00 30'
			]
		],
		[
			'recur_instances',
			'2012-10-01T00:00Z',
			'2013-03-10T00:00Z',
			[
				'2012-10-02T22:00 30',
				'2012-11-06T18:00 30',
				'2012-11-07T04:00 30',
				'2012-11-10T18:00 30',
				'2012-11-30T18:00 30',
				'2013-01-01T18:00 30',
				'2013-03-05T18:00 30'
			]
		]
	])('[A1] %s', (name, from, to, spans) => {
		expect(read(name, from, to)).toEqual({ isWhole: true, refused: [], spans });
	});

	test('[A1] added periods keep their own length', () => {
		const { spans } = read('recur_instances', '2023-11-20T00:00Z', '2023-11-30T00:00Z');
		expect(spans).toEqual(['2023-11-23T09:00 30', '2023-11-25T09:00 210']);
	});

	test('[A1] a zero-length series keeps nobody busy; a blank line inside does no harm', () => {
		expect(read('rdate_exdate', '2024-06-01T00:00Z', '2024-07-01T00:00Z').spans).toEqual([]);
		expect(read('blank_line_mid', '2024-06-01T00:00Z', '2024-07-01T00:00Z').isWhole).toBe(true);
	});
});
