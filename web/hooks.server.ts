// Puts the hub and the visitor on every request, the same for all pages; faults get an id.
import type { Handle, HandleServerError } from '@sveltejs/kit/hooks';
import { readSaver } from '#lib/data-saver.ts';

/** Pages hold what one visitor may see: no shared cache may keep them. */
const privately = 'private, no-store';

export const handle: Handle = async ({ event, resolve }) => {
	const request = event.platform?.req;
	if (request?.hub === undefined || request.visitor === undefined) {
		throw new Error('The hub is missing: pages run inside server/main.ts, not on their own.');
	}
	event.locals.hub = request.hub;
	event.locals.visitor = request.visitor;
	event.locals.isSavingData = readSaver(event);
	const response = await resolve(event, { preload: ({ type }) => type === 'js' });
	if (response.headers.get('content-type')?.startsWith('text/html') === true) {
		response.headers.set('cache-control', privately);
		response.headers.append('vary', 'Save-Data');
	}
	return response;
};

/** Never the text of an exception: an id that the log has too. */
export const handleError: HandleServerError = ({ kind, error, event }) => {
	if (kind !== 'unknown') return undefined;
	const reported = event.platform?.req.reportFault?.(error);
	return reported === undefined ? undefined : { status: reported.status, message: reported.id };
};
