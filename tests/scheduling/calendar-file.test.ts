import ICAL from 'ical.js';
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
	expect(calendar.getFirstSubcomponent('vtimezone')).toBeNull();
});

test('[K14] the file is well-formed to the octet: CRLF, 75 octets, times in UTC', () => {
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
	expect(text).toContain('DTSTART:20261130T163000Z');
	expect(text).toContain('DTEND:20261130T165000Z');
});

test('[K14] how to join is a CONFERENCE: the link, else the telephone', () => {
	const property = (over: Partial<BookingView>) =>
		readEvent(makeCalendarFile(makeBooking(over), now)).found.getFirstProperty('conference');
	const link = property({});
	expect(String(link?.getFirstValue())).toBe('https://visit.example/join?room=1%2C2%3B3&k=%C3%A4');
	expect(link?.getFirstParameter('feature')).toBe('VIDEO,AUDIO');
	const phone = property({ kind: 'phone', joinUrl: null });
	expect(String(phone?.getFirstValue())).toBe('tel:+14065550199');
	expect(phone?.getFirstParameter('feature')).toContain('PHONE');
	expect(property({ joinUrl: null, phone: null })).toBeNull();
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
