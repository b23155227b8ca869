// A clinic's calendar: read by calendar programs, without cookies, by its private address alone.
import { Router } from 'express';
import type { HubApi } from '#domain/api.ts';
import { hasIt, weakTag } from './etags.ts';
import { sendRefusal } from './problem.ts';

/** Calendar programs ask often: so long they need not, s. */
const MAX_AGE_S = 300;

export const calendarRoutes = (hub: HubApi): Router => {
	const router = Router();
	router.get('/:token.ics', async (req, res) => {
		const calendar = await hub.clinicCalendars.read(req.params.token);
		if (!calendar.ok) {
			sendRefusal(res, calendar.reason);
			return;
		}
		const etag = weakTag(calendar.value);
		res.set({
			'Cache-Control': `private, max-age=${MAX_AGE_S}`,
			ETag: etag,
			'Referrer-Policy': 'no-referrer',
			'X-Robots-Tag': 'noindex'
		});
		if (hasIt(req, etag)) res.status(304).end();
		else res.type('text/calendar; charset=utf-8').send(calendar.value);
	});
	return router;
};
