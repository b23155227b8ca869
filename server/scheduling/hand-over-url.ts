// The publisher's own booking page for a slot, with what SMART Scheduling Links asks for: who sends
// the patient (`source`) and a handle to recognise the booking by (`booking-referral`). Nothing
// about the patient.
import type { BookingId } from '#domain/ids.ts';

/** Null when the source gave no page, or one that is no web address. */
export const handOverUrl = (bookUrl: string | null, bookingId: BookingId): string | null => {
	if (bookUrl === null || !URL.canParse(bookUrl)) return null;
	const url = new URL(bookUrl);
	if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
	url.searchParams.set('source', 'slotcast');
	url.searchParams.set('booking-referral', bookingId);
	return url.href;
};
