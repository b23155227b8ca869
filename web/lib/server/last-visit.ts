// The last visit this device confirmed, so that going back from there finds the way again.
import type { RequestEvent } from '@sveltejs/kit';
import { BookingId } from '#domain/ids.ts';

const COOKIE = 'slotcast_visit';
const DAY_S = 86_400;

export const readLastVisit = ({ cookies }: Pick<RequestEvent, 'cookies'>): BookingId | null =>
	BookingId.safeParse(cookies.get(COOKIE)).data ?? null;

export const writeLastVisit = (
	{ cookies, url }: Pick<RequestEvent, 'cookies' | 'url'>,
	id: BookingId
): void => {
	cookies.set(COOKIE, id, {
		path: '/',
		maxAge: DAY_S,
		httpOnly: true,
		sameSite: 'lax',
		secure: url.protocol === 'https:'
	});
};
