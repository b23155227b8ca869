// What an e-mail about a visit says: when, and where to see more. Neither who the patient is, nor with
// whom, nor why: mail is read over shoulders and kept by others.
import type { BookingView, MailKind } from '#domain/booking.ts';
import type { Instant } from '#domain/time.ts';
import { makeCalendarFile } from './calendar-file.ts';

export type ComposedMail = {
	readonly subject: string;
	readonly text: string;
	readonly html: string;
	readonly calendar: { readonly method: 'REQUEST' | 'CANCEL'; readonly content: string };
};

const words: Readonly<Record<MailKind, { readonly subject: string; readonly lead: string }>> = {
	booked: {
		subject: 'Your telehealth visit is booked',
		lead: 'The clinic has booked your visit.'
	},
	moved: {
		subject: 'Your telehealth visit has a new time',
		lead: 'The clinic has booked the new time of your visit.'
	},
	cancelled: {
		subject: 'Your telehealth visit is cancelled',
		lead: 'The clinic has cancelled this visit.'
	}
};

/** Spelled out, with the zone: a mail is read in any zone. */
const whenOf = ({ startsAt, zone }: BookingView): string =>
	new Intl.DateTimeFormat('en-US', {
		timeZone: zone,
		weekday: 'long',
		year: 'numeric',
		month: 'long',
		day: 'numeric',
		hour: 'numeric',
		minute: '2-digit',
		timeZoneName: 'short'
	}).format(startsAt);

const escapes: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;'
};
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (one) => escapes[one] ?? '');

export type MailParts = {
	readonly kind: MailKind;
	readonly booking: BookingView;
	/** The manage link; null for a visit that has none. */
	readonly link: string | null;
	readonly from: string;
	readonly to: string;
	readonly now: Instant;
};

/** J21, J23: plain text, simple HTML and the calendar file. */
export const composeMail = ({ kind, booking, link, from, to, now }: MailParts): ComposedMail => {
	const { subject, lead } = words[kind];
	const when = whenOf(booking);
	const isOver = kind === 'cancelled';
	const more = 'See how to join, change the time or cancel (we ask for the date of birth first):';
	const noReply = 'Nobody reads answers to this address. Call the clinic with questions.';
	const linkLines = link === null || isOver ? [] : ['', more, link];
	const text = [lead, '', when, ...linkLines, '', noReply, ''].join('\n');
	const linkHtml =
		link === null || isOver
			? ''
			: `<p>${escaped(more)}<br><a href="${escaped(link)}">Your visit</a></p>`;
	const html =
		`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escaped(subject)}</title></head>` +
		`<body><p>${escaped(lead)}</p><p><strong>${escaped(when)}</strong></p>${linkHtml}` +
		`<p>${escaped(noReply)}</p></body></html>`;
	const content = makeCalendarFile(booking, now, { organizer: from, attendee: to });
	return { subject, text, html, calendar: { method: isOver ? 'CANCEL' : 'REQUEST', content } };
};
