// "Are you sure?": a page of its own, so that cancelling takes two steps without JavaScript too.
import { error, fail, redirect, type Actions } from '@sveltejs/kit';
import { refusals } from '#domain/refusals.ts';
import { newRequestId, requestIdFor } from '#lib/server/request-ids.ts';
import { readVisit, searchOf, visitIdOf } from '#lib/server/visit-page.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async (event) => {
	const visit = await readVisit(event);
	const { query, text: search } = searchOf(event);
	// Nothing to decide any more: the visit's own page says how it stands.
	if (visit.state !== 'booked') redirect(303, `/visit/${visit.id}?${search}`);
	return { visit, zone: query?.zone ?? visit.zone, search, nonce: newRequestId() };
};

export const actions: Actions = {
	cancel: async (event) => {
		const { hub, visitor } = event.locals;
		const bookingId = visitIdOf(event);
		const nonce = (await event.request.formData()).get('nonce');
		const requestId = requestIdFor(typeof nonce === 'string' ? nonce : '', `cancel ${bookingId}`);
		const asked = await hub.cancelBooking(visitor.device, { bookingId, requestId });
		if (asked.ok) redirect(303, `/visit/${bookingId}?${searchOf(event).text}`);
		if (asked.reason === 'booking_unknown') error(404, 'not_yours');
		return fail(refusals[asked.reason].status, { why: asked.reason });
	}
};
