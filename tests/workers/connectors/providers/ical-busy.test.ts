// What a calendar keeps busy: series, exceptions, zones, versions; and parts that mean harm.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, toInstant } from '#domain/time.ts';
import { instantOfWall, wallTimeAt } from '#domain/zone.ts';
import { busyTimeOf, refreshMsOf } from '#workers/connectors/providers/ical-busy.ts';
import { cutCalendar } from '#workers/connectors/providers/ical-lines.ts';

const calendar = (...parts: string[]): Buffer =>
	Buffer.from(['BEGIN:VCALENDAR', 'VERSION:2.0', ...parts, 'END:VCALENDAR', ''].join('\r\n'));
const event = (...lines: string[]): string => ['BEGIN:VEVENT', ...lines, 'END:VEVENT'].join('\r\n');

const zone = 'America/New_York';
const busyOf = (body: Buffer, from = '2026-10-25T00:00Z', to = '2026-11-10T00:00Z') => {
	const window = { from: toInstant(Date.parse(from)), to: toInstant(Date.parse(to)) };
	const found = busyTimeOf(cutCalendar(body), zone, window);
	return {
		...found,
		texts: found.spans.map(
			({ startsAt, endsAt, kind }) =>
				`${new Date(startsAt).toISOString().slice(5, 16)} ${(endsAt - startsAt) / HOUR_MS}h ${kind}`
		)
	};
};

test('[A51] a weekly series keeps its wall time when the clocks change; exceptions are left out', () => {
	const body = calendar(
		event(
			'UID:a',
			'DTSTART;TZID=America/New_York:20260105T090000',
			'DTEND;TZID=America/New_York:20260105T100000',
			'RRULE:FREQ=WEEKLY;BYDAY=MO,WE',
			'EXDATE;TZID=America/New_York:20261028T090000',
			'EXDATE;VALUE=DATE:20261104'
		)
	);
	expect(busyOf(body).texts).toEqual([
		'10-26T13:00 1h busy',
		'11-02T14:00 1h busy',
		'11-09T14:00 1h busy'
	]);
});

test('[A51] moved, cancelled, freed and added times of a series', () => {
	const series = [
		'UID:b',
		'DTSTART;TZID=America/New_York:20261026T090000',
		'DURATION:PT30M',
		'RRULE:FREQ=DAILY;COUNT=5',
		'RDATE;TZID=America/New_York:20261105T120000',
		'RDATE;VALUE=PERIOD:20261106T120000Z/PT2H'
	];
	const body = calendar(
		event(...series),
		event(
			'UID:b',
			'RECURRENCE-ID;TZID=America/New_York:20261027T090000',
			'DTSTART:20261027T200000Z',
			'DTEND:20261027T210000Z'
		),
		event(
			'UID:b',
			'RECURRENCE-ID:20261028T130000Z',
			'DTSTART:20261028T130000Z',
			'STATUS:CANCELLED'
		),
		event(
			'UID:b',
			'RECURRENCE-ID:20261029T130000Z',
			'DTSTART:20261029T130000Z',
			'DTEND:20261029T133000Z',
			'TRANSP:TRANSPARENT'
		)
	);
	expect(busyOf(body).texts).toEqual([
		'10-26T13:00 0.5h busy',
		'10-27T20:00 1h busy',
		'10-30T13:00 0.5h busy',
		'11-05T17:00 0.5h busy',
		'11-06T12:00 2h busy'
	]);
});

test('[A51] this and all later times move together, and keep the new wall time', () => {
	const body = calendar(
		event(
			'UID:c',
			'DTSTART;TZID=America/New_York:20261029T090000',
			'DTEND;TZID=America/New_York:20261029T093000',
			'RRULE:FREQ=DAILY;UNTIL=20261103T235959Z'
		),
		event(
			'UID:c',
			'RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=America/New_York:20261031T090000',
			'DTSTART;TZID=America/New_York:20261031T110000',
			'DTEND;TZID=America/New_York:20261031T120000'
		)
	);
	expect(busyOf(body).texts).toEqual([
		'10-29T13:00 0.5h busy',
		'10-30T13:00 0.5h busy',
		'10-31T15:00 1h busy',
		'11-01T16:00 1h busy',
		'11-02T16:00 1h busy',
		'11-03T16:00 1h busy'
	]);
});

test('[A51] all-day events block local days, also the one of 25 hours; tentative is told', () => {
	const body = calendar(
		event('UID:d', 'DTSTART;VALUE=DATE:20261101', 'DTEND;VALUE=DATE:20261103'),
		event('UID:e', 'DTSTART:20261105', 'STATUS:TENTATIVE'),
		event('UID:f', 'DTSTART:20261106T090000', 'DURATION:P1D')
	);
	expect(busyOf(body).texts).toEqual([
		'11-01T04:00 49h busy',
		'11-05T05:00 24h busy-tentative',
		'11-06T14:00 24h busy'
	]);
});

test('[A51] busy lists, their types and both forms of period', () => {
	const body = calendar(
		'BEGIN:VFREEBUSY',
		'FREEBUSY:20261026T130000Z/20261026T140000Z,20261027T130000Z/PT30M',
		'FREEBUSY;FBTYPE=FREE:20261028T130000Z/PT8H',
		'FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20261029T130000Z/PT1H',
		'FREEBUSY;FBTYPE=X-OWN:20261030T130000Z/PT1H',
		'END:VFREEBUSY'
	);
	expect(busyOf(body).texts).toEqual([
		'10-26T13:00 1h busy',
		'10-27T13:00 0.5h busy',
		'10-29T13:00 1h busy-unavailable',
		'10-30T13:00 1h busy'
	]);
});

test('[A51] zones by Outlook name, by prefix and by rules of their own; an unknown one is refused', () => {
	const own = [
		'BEGIN:VTIMEZONE',
		'TZID:Nowhere/Middle',
		'BEGIN:STANDARD',
		'DTSTART:16010101T000000',
		'TZOFFSETFROM:-0741',
		'TZOFFSETTO:-0741',
		'END:STANDARD',
		'END:VTIMEZONE'
	];
	const one = (uid: string, tzid: string): string =>
		event(`UID:${uid}`, `DTSTART;TZID=${tzid}:20261027T090000`, 'DURATION:PT1H');
	const body = calendar(
		...own,
		one('g', 'Pacific Standard Time'),
		one('h', '/freeassociation.sourceforge.net/America/Denver'),
		one('i', 'Nowhere/Middle'),
		one('j', 'Mars Standard Time')
	);
	const { texts, refused } = busyOf(body);
	expect(texts).toEqual(['10-27T15:00 1h busy', '10-27T16:00 1h busy', '10-27T16:41 1h busy']);
	expect(refused).toEqual([
		{ where: 'VEVENT 4', reason: 'its time zone is unknown', isAnywhere: true }
	]);
});

test('[A51] of two versions the newer counts, whichever comes first', () => {
	const old = event('UID:k', 'SEQUENCE:1', 'DTSTART:20261027T130000Z', 'DTEND:20261027T140000Z');
	const fresh = event('UID:k', 'SEQUENCE:2', 'DTSTART:20261028T130000Z', 'DTEND:20261028T140000Z');
	for (const body of [calendar(old, fresh), calendar(fresh, old)]) {
		expect(busyOf(body).texts).toEqual(['10-28T13:00 1h busy']);
	}
});

test.each([
	['has no start', ['UID:x', 'DTEND:20261027T140000Z'], true],
	['a time is no time', ['UID:x', 'DTSTART:20261399T130000Z'], true],
	['not iCalendar', ['UID:x', 'DTSTART:20261027T130000Z', 'RRULE:FREQ=NEVER'], true],
	['ends before it starts', ['UID:x', 'DTSTART:20261027T130000Z', 'DTEND:20261027T120000Z'], false],
	['its length is no length', ['UID:x', 'DTSTART:20261027T130000Z', 'DURATION:long'], false],
	[
		'DTSTART stands in it more than once',
		['DTSTART:20261027T130000Z', 'DTSTART:20261028T130000Z'],
		true
	],
	[
		'repeats by the hour or faster, or not at all',
		['DTSTART:20200101T000000Z', 'RRULE:FREQ=SECONDLY'],
		true
	]
])('[A52] an event is refused: %s', (reason, lines, isAnywhere) => {
	const good = event('UID:good', 'DTSTART:20261026T130000Z', 'DURATION:PT1H');
	const { refused, texts } = busyOf(calendar(event(...lines), good));
	expect(refused).toEqual([
		{
			where: 'VEVENT 1',
			reason: lines.includes('DTSTART:20261028T130000Z')
				? 'dtstart stands in it more than once'
				: reason,
			isAnywhere
		}
	]);
	expect(texts).toContain('10-26T13:00 1h busy');
	// Where only its end is unknown, the rest of its day is kept busy.
	expect(texts).toHaveLength(isAnywhere ? 1 : 2);
});

test('[A52] a part that does not end, and a calendar that was cut off, are noticed', () => {
	const lost = [
		'BEGIN:VEVENT',
		'UID:l',
		'DTSTART:20261026T130000Z',
		event('UID:m', 'DTSTART:20261027T130000Z', 'DURATION:PT1H')
	];
	expect(busyOf(calendar(...lost)).refused).toMatchObject([
		{ reason: 'it is garbled, or its beginning or end is missing' }
	]);
	const whole = calendar(event('UID:m', 'DTSTART:20261027T130000Z', 'DURATION:PT1H'));
	expect(cutCalendar(whole).isWhole).toBe(true);
	for (let length = 0; length < whole.length - 4; length += 1) {
		expect(cutCalendar(whole.subarray(0, length)).isWhole).toBe(false);
	}
	expect(cutCalendar(Buffer.from('<html>')).isWhole).toBe(false);
});

test.each([
	'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30',
	'FREQ=YEARLY;INTERVAL=2;BYDAY=-5FR;BYMONTH=1,2;BYSETPOS=9',
	'FREQ=DAILY;INTERVAL=1000000',
	'FREQ=DAILY;BYDAY=MO;INTERVAL=7',
	'FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30',
	'FREQ=DAILY;COUNT=999999999;BYHOUR=0,1,2,3,4,5,6,7,8,9;BYMINUTE=0,1,2,3,4,5,6,7,8,9'
])('[A54] the rule %s ends, and nothing is made up', (rule) => {
	const { spans, refused } = busyOf(
		calendar(event('UID:n', 'DTSTART:20200131T090000Z', 'DURATION:PT1H', `RRULE:${rule}`))
	);
	expect(spans.every(({ startsAt, endsAt }) => endsAt - startsAt === HOUR_MS)).toBe(true);
	expect(refused.length <= 1).toBe(true);
});

test('[A54] a hundred hostile rules cost no more than three, and all are refused', () => {
	const rule = 'RRULE:FREQ=YEARLY;INTERVAL=2;BYDAY=-5FR;BYMONTH=1,2;BYSETPOS=9';
	const events = Array.from({ length: 100 }, (_, n) =>
		event(`UID:${n}`, 'DTSTART:20200131T090000Z', 'DURATION:PT1H', rule)
	);
	const { refused } = busyOf(calendar(...events));
	expect(refused).toHaveLength(100);
});

test('[A54] a series that began long ago is worked out from the window, not from its start', () => {
	const body = calendar(
		event(
			'UID:o',
			'DTSTART;TZID=America/New_York:19800107T090000',
			'DURATION:PT1H',
			'RRULE:FREQ=WEEKLY;INTERVAL=2'
		),
		event(
			'UID:p',
			'DTSTART;TZID=America/New_York:19800101T180000',
			'DURATION:PT1H',
			'RRULE:FREQ=DAILY;INTERVAL=3'
		)
	);
	const { texts, refused } = busyOf(body);
	expect(refused).toEqual([]);
	// 26 October 2026 is 1,221 fortnights after 7 January and 5,700 times three days after 1 January.
	const expected = [
		'10-26T13:00',
		'10-26T22:00',
		'10-29T22:00',
		'11-01T23:00',
		'11-04T23:00',
		'11-07T23:00',
		'11-09T14:00'
	];
	expect(texts).toEqual(expected.map((text) => `${text} 1h busy`));
});

test('[A51] weekly and daily series fall where counting days by hand says, around changes of clocks', () => {
	const property = fc.property(
		fc.tuple(
			fc.constantFrom(
				'America/New_York',
				'America/Denver',
				'Pacific/Honolulu',
				'America/Anchorage'
			),
			fc.constantFrom('2026-03-06T00:00Z', '2026-10-30T00:00Z', '2029-03-09T00:00Z')
		),
		fc.integer({ min: 0, max: 3_000 }),
		fc.integer({ min: 0, max: 23 }),
		fc.constantFrom(1, 2, 3, 7, 14),
		([name, from], daysBefore, hour, interval) => {
			const window = { from: Date.parse(from), to: Date.parse(from) + 6 * DAY_MS };
			const first = wallTimeAt(toInstant(window.from - daysBefore * DAY_MS), name);
			const day = (n: number) =>
				new Date(Date.UTC(first.year, first.month - 1, first.day) + n * DAY_MS);
			const compact = day(0).toISOString().slice(0, 10).replaceAll('-', '');
			const body = calendar(
				event(
					'UID:q',
					`DTSTART;TZID=${name}:${compact}T${String(hour).padStart(2, '0')}3000`,
					'DURATION:PT15M',
					`RRULE:FREQ=DAILY;INTERVAL=${interval}`
				)
			);
			const expected: number[] = [];
			for (let n = 0; n <= daysBefore + 8; n += interval) {
				const date = day(n);
				const wall = {
					year: date.getUTCFullYear(),
					month: date.getUTCMonth() + 1,
					day: date.getUTCDate(),
					hour,
					minute: 30,
					second: 0
				};
				const at = instantOfWall(wall, name);
				if (at + 900_000 > window.from && at < window.to) expected.push(at);
			}
			const found = busyOf(body, from, new Date(window.to).toISOString());
			expect(found.spans.map(({ startsAt }) => startsAt)).toEqual(expected);
		}
	);
	fc.assert(property, { numRuns: 100, seed: 4_711 });
});

test('[A56] titles, places and guests are dropped before anything is parsed', () => {
	const lines = [
		'SUMMARY:Visit of Pat Example',
		'ATTENDEE;CN=Pat:mailto:pat@example.net',
		'LOCATION:Room 3',
		'DESCRIPTION:first\\nsecond',
		' folded on'
	];
	const body = calendar(event('UID:r', 'DTSTART:20261027T130000Z', ...lines, 'DURATION:PT1H'));
	const { parts } = cutCalendar(body);
	expect(parts[0]?.lines).toEqual(['UID:r', 'DTSTART:20261027T130000Z', 'DURATION:PT1H']);
});

test('[A50] how long to wait is told by the calendar, in both forms', () => {
	expect(refreshMsOf(new Map([['REFRESH-INTERVAL', 'PT1H']]))).toBe(HOUR_MS);
	expect(refreshMsOf(new Map([['X-PUBLISHED-TTL', 'P1W']]))).toBe(DAY_MS);
	expect(refreshMsOf(new Map([['X-PUBLISHED-TTL', 'soon']]))).toBeNull();
});
