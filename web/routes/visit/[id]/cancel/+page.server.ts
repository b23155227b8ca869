// "Are you sure?": a page of its own, so that cancelling takes two steps without JavaScript too.
import { error, fail, redirect, type Actions, type RequestEvent } from '@sveltejs/kit';
import { BookingId } from '#domain/ids.ts';
import { refusals } from '#domain/refusals.ts';
import { newRequestId, requestIdFor } from '#lib/server/request-ids.ts';
import { readSearch, writeSearch } from '#lib/search.ts';
import type { PageServerLoad } from './$types';

const bookingIdOf = ({ params }: Pick<RequestEvent, 'params'>): BookingId => {
	const id = BookingId.safeParse(params['id']);
	if (!id.success) error(404, 'not_yours');
	return id.data;
};

const searchOf = ({ url }: Pick<RequestEvent, 'url'>) => {
	const search = readSearch(url.searchParams);
	return search.ok ? search.value : null;
};

export const load: PageServerLoad = async (event) => {
	const { hub, visitor } = event.locals;
	const found = await hub.readBooking(visitor.device, bookingIdOf(event));
	if (!found.ok) error(404, 'not_yours');
	const query = searchOf(event);
	const search = query === null ? '' : writeSearch(query);
	const visit = found.value;
	// Nothing to decide any more: the visit's own page says how it stands.
	if (visit.state !== 'booked') redirect(303, `/visit/${visit.id}?${search}`);
	return { visit, zone: query?.zone ?? visit.zone, search, nonce: newRequestId() };
};

export const actions: Actions = {
	cancel: async (event) => {
		const { hub, visitor } = event.locals;
		const bookingId = bookingIdOf(event);
		const nonce = (await event.request.formData()).get('nonce');
		const requestId = requestIdFor(typeof nonce === 'string' ? nonce : '', `cancel ${bookingId}`);
		const asked = await hub.cancelBooking(visitor.device, { bookingId, requestId });
		if (asked.ok) {
			const query = searchOf(event);
			redirect(303, `/visit/${bookingId}${query === null ? '' : `?${writeSearch(query)}`}`);
		}
		if (asked.reason === 'booking_unknown') error(404, 'not_yours');
		return fail(refusals[asked.reason].status, { why: asked.reason });
	}
};
