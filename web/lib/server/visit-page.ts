// What the pages of one visit share: whose it is and from which search the person came.
import { error, type RequestEvent } from '@sveltejs/kit';
import type { BoardQuery } from '#domain/board.ts';
import type { BookingView } from '#domain/booking.ts';
import { BookingId } from '#domain/ids.ts';
import { readSearch, writeSearch } from '../search.ts';

export const visitIdOf = ({ params }: Pick<RequestEvent, 'params'>): BookingId => {
	const id = BookingId.safeParse(params['id']);
	if (!id.success) error(404, 'not_yours');
	return id.data;
};

export const readVisit = async (
	event: Pick<RequestEvent, 'params' | 'locals'>
): Promise<BookingView> => {
	const { hub, visitor } = event.locals;
	const found = await hub.readBooking(visitor.device, visitIdOf(event));
	if (!found.ok) error(404, 'not_yours');
	return found.value;
};

/** The search a visit's page was reached from; `text` is '' without one. */
export const searchOf = ({
	url
}: Pick<RequestEvent, 'url'>): { readonly query: BoardQuery | null; readonly text: string } => {
	const search = readSearch(url.searchParams);
	return search.ok
		? { query: search.value, text: writeSearch(search.value) }
		: { query: null, text: '' };
};
