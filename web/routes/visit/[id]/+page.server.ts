// A confirmed visit and what the clinic said. Waits a moment for the answer, then tells what is
// known; the page looks again by itself, with or without JavaScript.
import { error } from '@sveltejs/kit';
import { BookingId } from '#domain/ids.ts';
import { readNear } from '#lib/server/board-actions.ts';
import { readSearch, writeSearch } from '#lib/search.ts';
import type { PageServerLoad } from './$types';

/** Most clinics answer within this: then the first page already says "booked". */
const FIRST_WAIT_MS = 1_500;

export const load: PageServerLoad = async (event) => {
	const { hub, visitor } = event.locals;
	const id = BookingId.safeParse(event.params.id);
	if (!id.success) error(404, 'not_yours');
	const waitMs = event.isDataRequest ? 0 : FIRST_WAIT_MS;
	const found = await hub.awaitBooking(visitor.device, id.data, waitMs);
	if (!found.ok) error(404, 'not_yours');
	const search = readSearch(event.url.searchParams);
	const query = search.ok ? search.value : null;
	const visit = found.value;
	const stands = visit.state === 'booked' || visit.state === 'cancelling';
	const link = stands ? await hub.manageLink(visitor.device, visit.id) : null;
	return {
		visit,
		manageLink: link?.ok === true ? link.value : null,
		near: visit.state === 'rejected' ? await readNear(hub, visit.slotId, query) : [],
		zone: query?.zone ?? visit.zone,
		search: query === null ? '' : writeSearch(query)
	};
};
