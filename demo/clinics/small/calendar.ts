// The practice's calendar as an iCalendar feed: what is taken are events, with names in them that
// are nobody else's business.
import type { Handler } from '../exchange.ts';
import type { Office, Visit } from './office.ts';

const stamp = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');

const eventOf = (visit: Visit, host: string): string[] => [
	'BEGIN:VEVENT',
	`UID:${visit.id}@${host}`,
	'DTSTAMP:20260101T000000Z',
	`DTSTART:${stamp(visit.startAt)}`,
	`DTEND:${stamp(visit.endAt)}`,
	'SUMMARY:Visit of Pat Example',
	'ATTENDEE;CN=Pat Example:mailto:pat@example.net',
	'END:VEVENT'
];

export const CALENDAR_PATH = '/calendar.ics';

export const createCalendarHandler =
	(office: Office): Handler =>
	({ url, fault }) => {
		if (url.pathname !== CALENDAR_PATH) return { status: 404, headers: {}, body: '' };
		const taken = fault('empty_answer') === undefined ? office.visits() : [];
		const events = taken
			.filter(({ isFree }) => !isFree)
			.flatMap((visit) => eventOf(visit, office.host));
		const lines = [
			'BEGIN:VCALENDAR',
			'VERSION:2.0',
			`PRODID:-//${office.name}//Calendar//EN`,
			'REFRESH-INTERVAL;VALUE=DURATION:PT10M',
			// A series that lies outside the hours.
			'BEGIN:VEVENT',
			`UID:early@${office.host}`,
			'DTSTAMP:20260101T000000Z',
			`DTSTART;TZID=${office.zone}:20250106T070000`,
			'DURATION:PT1H',
			'RRULE:FREQ=DAILY',
			'SUMMARY:Team',
			'END:VEVENT',
			...events,
			'END:VCALENDAR',
			''
		];
		const isEmpty = fault('empty_answer') !== undefined;
		const body = (isEmpty ? [...lines.slice(0, 4), ...lines.slice(-2)] : lines).join('\r\n');
		return {
			status: 200,
			headers: {
				'content-type': 'text/calendar; charset=utf-8',
				etag: `"${office.revision()}-${isEmpty}"`
			},
			body
		};
	};
