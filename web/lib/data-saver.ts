// Data saver: a cookie that the visitor sets; the Save-Data header is only its default.
import type { RequestEvent } from '@sveltejs/kit';

const COOKIE = 'slotcast_saver';
const YEAR_S = 31_536_000;

export const readSaver = (event: Pick<RequestEvent, 'cookies' | 'request'>): boolean => {
	const chosen = event.cookies.get(COOKIE);
	if (chosen === 'on' || chosen === 'off') return chosen === 'on';
	return event.request.headers.get('save-data')?.toLowerCase() === 'on';
};

export const writeSaver = (event: Pick<RequestEvent, 'cookies' | 'url'>, isOn: boolean): void => {
	event.cookies.set(COOKIE, isOn ? 'on' : 'off', {
		path: '/',
		maxAge: YEAR_S,
		httpOnly: true,
		sameSite: 'lax',
		secure: event.url.protocol === 'https:'
	});
};
