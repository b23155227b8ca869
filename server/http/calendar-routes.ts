// A clinic's calendar feed: read by calendar programs, without cookies, by its private address alone.
import { createHash } from 'node:crypto';
import { Router } from 'express';
import type { HubApi } from '#domain/api.ts';
import { sendRefusal } from './problem.ts';

/** Calendar programs ask often: so long they need not, s. */
const MAX_AGE_S = 300;

export const calendarRoutes = (hub: HubApi): Router => {
	const router = Router();
	router.get('/:token.ics', async (req, res) => {
		const feed = await hub.clinicFeeds.read(req.params.token);
		if (!feed.ok) {
			sendRefusal(res, feed.reason);
			return;
		}
		const etag = `"${createHash('sha256').update(feed.value).digest('base64url').slice(0, 22)}"`;
		res.set({
			'Cache-Control': `private, max-age=${MAX_AGE_S}`,
			ETag: etag,
			'Referrer-Policy': 'no-referrer',
			'X-Robots-Tag': 'noindex'
		});
		// A proxy that compresses makes the tag weak: it names the same visits.
		if (req.get('If-None-Match')?.replace(/^W\//, '') === etag) res.status(304).end();
		else res.type('text/calendar; charset=utf-8').send(feed.value);
	});
	return router;
};
