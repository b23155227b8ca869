import ICAL from 'ical.js';
import * as fc from 'fast-check';
import { sync as nodeIcal } from 'node-ical';
import { expect, test } from 'vitest';
import { bookingStates, type BookingView } from '#domain/booking.ts';
import { BookingId, HoldId, ScheduleId, SlotId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import { makeCalendarFile } from '#server/scheduling/calendar-file.ts';

const now = toInstant(Date.UTC(2026, 10, 21, 20, 0, 5));
const makeBooking = (over: Partial<BookingView> = {}): BookingView => ({
	id: BookingId.parse('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01'),
	holdId: HoldId.parse('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f02'),
	slotId: SlotId.parse(7),
	scheduleId: ScheduleId.parse(3),
	state: 'booked',
	startsAt: toInstant(Date.UTC(2026, 10, 30, 16, 30)),
	endsAt: toInstant(Date.UTC(2026, 10, 30, 16, 50)),
	kind: 'video',
	practitionerName: 'Dr. Ana Reyes, Psychiatry',
	organizationName: 'Big Sky Addiction Clinic',
	zone: 'America/Denver',
	phone: '+1 (406) 555-0199',
	joinUrl: 'https://visit.example/join?room=1,2;3&k=ä',
	linkUrl: null,
	rejectedBecause: null,
	changeRefused: null,
	replaces: null,
	movedTo: null,
	mail: null,
	calendarUid: '3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01',
	sequence: 2,
	...over
});

const readEvent = (text: string) => {
	const calendar = new ICAL.Component(ICAL.parse(text));
	const found = calendar.getFirstSubcomponent('vevent');
	if (found === null) throw new Error('no event');
	return { calendar, found, event: new ICAL.Event(found) };
};

test('[K14] another program reads the same visit back from the calendar file', () => {
	const { event, found, calendar } = readEvent(makeCalendarFile(makeBooking(), now));
	expect(event.uid).toBe('3f8f2f0e-5a0e-4a58-9a39-1d1d2b1d9f01@slotcast');
	expect(event.sequence).toBe(2);
	expect(event.startDate.toJSDate().getTime()).toBe(makeBooking().startsAt);
	expect(event.endDate.toJSDate().getTime()).toBe(makeBooking().endsAt);
	expect(event.summary).toBe('Telehealth visit');
	expect(found.getFirstPropertyValue('status')).toBe('CONFIRMED');
	expect(calendar.getFirstPropertyValue('method')).toBe('PUBLISH');
	expect(calendar.getAllSubcomponents('vtimezone')).toHaveLength(1);
});

test('[K14] the file is well-formed to the octet: CRLF, 75 octets, times in the clinic’s zone', () => {
	const text = makeCalendarFile(
		makeBooking({ joinUrl: `https://visit.example/${'ä'.repeat(90)}` }),
		now
	);
	expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
	expect(text.endsWith('END:VCALENDAR\r\n')).toBe(true);
	for (const line of text.split('\r\n')) {
		expect(Buffer.byteLength(line, 'utf8')).toBeLessThanOrEqual(75);
	}
	expect(text).toContain('DTSTAMP:20261121T200005Z');
	expect(text).toContain('\r\nDTSTART;TZID=America/Denver:20261130T093000\r\n');
	expect(text).toContain('\r\nDTEND;TZID=America/Denver:20261130T095000\r\n');
	expect(text).toContain('\r\nTZID:America/Denver\r\n');
});

test('[K14] how to join is a CONFERENCE; the telephone of the clinic is its CONTACT', () => {
	const read = (over: Partial<BookingView>) =>
		readEvent(makeCalendarFile(makeBooking(over), now)).found;
	const property = (over: Partial<BookingView>) => read(over).getFirstProperty('conference');
	const link = property({});
	expect(String(link?.getFirstValue())).toBe('https://visit.example/join?room=1%2C2%3B3&k=%C3%A4');
	expect(link?.getFirstParameter('feature')).toBe('VIDEO,AUDIO');
	// Two values, not one in quotation marks (RFC 7986, 6.3).
	expect(makeCalendarFile(makeBooking(), now)).toContain('FEATURE=VIDEO,AUDIO:');
	const dialIn = property({ joinUrl: 'tel:+14065550100' });
	expect(String(dialIn?.getFirstValue())).toBe('tel:+14065550100');
	expect(dialIn?.getFirstParameter('feature')).toContain('PHONE');
	// The clinic calls: nothing to join, and the front desk is whom to call about it.
	const called = read({ kind: 'phone', joinUrl: null });
	expect(called.getFirstProperty('conference')).toBeNull();
	expect(called.getFirstPropertyValue('contact')).toBe('+1 (406) 555-0199');
	expect(called.getFirstPropertyValue('description')).toMatch(/clinic calls you/);
	expect(read({}).getFirstProperty('description')).toBeNull();
	expect(read({ joinUrl: null, phone: null }).getFirstProperty('contact')).toBeNull();
});

test('[K15] the file tells nobody who looks over a shoulder what the visit is about', () => {
	for (const state of bookingStates) {
		const text = makeCalendarFile(makeBooking({ state }), now);
		expect(text).not.toMatch(/Reyes|Psychiatry|Addiction|Big Sky|Rosa/);
	}
	expect(makeCalendarFile(makeBooking({ state: 'confirming' }), now)).toContain('STATUS:TENTATIVE');
	const cancelled = makeCalendarFile(makeBooking({ state: 'cancelled' }), now);
	expect(cancelled).toContain('STATUS:CANCELLED');
	expect(cancelled).toContain('METHOD:CANCEL');
});

const zones = [
	'America/Denver',
	'America/New_York',
	'America/Phoenix',
	'Pacific/Honolulu',
	'America/St_Johns',
	'Australia/Lord_Howe',
	'Europe/Dublin',
	'Asia/Kathmandu',
	'America/Sao_Paulo',
	'UTC'
];

/** The start and end of the only event, as node-ical reads them. */
const readWithNodeIcal = (text: string) => {
	const events = Object.values(nodeIcal.parseICS(text)).filter((each) => each?.type === 'VEVENT');
	expect(events).toHaveLength(1);
	const [event] = events;
	if (event?.type !== 'VEVENT') throw new Error('no event');
	return event;
};

const checkInstants = (zone: string, startsAt: number): void => {
	const booking = makeBooking({
		zone,
		startsAt: toInstant(startsAt),
		endsAt: toInstant(startsAt + 30 * 60_000)
	});
	const text = makeCalendarFile(booking, now);
	const { event } = readEvent(text);
	expect(event.startDate.toJSDate().getTime()).toBe(booking.startsAt);
	expect(event.endDate.toJSDate().getTime()).toBe(booking.endsAt);
	const other = readWithNodeIcal(text);
	expect(new Date(other.start).getTime()).toBe(booking.startsAt);
	expect(new Date(other.end ?? 0).getTime()).toBe(booking.endsAt);
};

test('[J16] two independent readers see the same instants in every zone, all year round', () => {
	const quarter = 900_000;
	const start = Date.UTC(2026, 0, 1) / quarter;
	fc.assert(
		fc.property(
			fc.constantFrom(...zones),
			fc.integer({ min: start, max: start + 4 * 24 * 730 }),
			(zone, quarters) => {
				const at = quarters * quarter;
				checkInstants(zone, at);
			}
		),
		{ numRuns: 300 }
	);
});

test.each([
	['America/Denver', '2027-03-14T08:30:00Z'],
	['America/Denver', '2027-03-14T09:00:00Z'],
	['America/Denver', '2026-11-01T06:30:00Z'],
	['America/Denver', '2026-11-01T07:30:00Z'],
	['America/Denver', '2026-11-01T08:15:00Z'],
	['America/Denver', '2026-11-01T09:00:00Z'],
	['Australia/Lord_Howe', '2026-04-04T14:45:00Z'],
	['Australia/Lord_Howe', '2026-10-03T16:00:00Z']
])('[J16] beside a change of the clocks in %s, at %s', (zone, at) => {
	checkInstants(zone, Date.parse(at));
});

test('[J17] sent, the file is a request; cancelled, the same event with a higher SEQUENCE', () => {
	const people = { organizer: 'visits@hub.example', attendee: 'rosa@example.org' };
	const asked = makeCalendarFile(makeBooking(), now, people);
	const gone = makeCalendarFile(makeBooking({ state: 'cancelled', sequence: 3 }), now, people);
	const [request, cancel] = [readEvent(asked), readEvent(gone)];
	expect(request.calendar.getFirstPropertyValue('method')).toBe('REQUEST');
	expect(cancel.calendar.getFirstPropertyValue('method')).toBe('CANCEL');
	expect(cancel.event.uid).toBe(request.event.uid);
	expect(cancel.event.sequence).toBeGreaterThan(request.event.sequence);
	expect(String(request.found.getFirstPropertyValue('organizer'))).toBe(
		'mailto:visits@hub.example'
	);
	expect(String(request.found.getFirstPropertyValue('attendee')).toLowerCase()).toBe(
		'mailto:rosa@example.org'
	);
	const read = readWithNodeIcal(gone);
	expect([read.method, read.status, Number(read.sequence)]).toEqual(['CANCEL', 'CANCELLED', 3]);
	expect(makeCalendarFile(makeBooking(), now)).not.toMatch(/ORGANIZER|ATTENDEE/);
});
