// The live board of one search. Everything it shows is in the URL; everything works as a form.
import { redirect, type Actions, type RequestEvent } from '@sveltejs/kit';
import type { BoardQuery } from '#domain/board.ts';
import {
	holdAction,
	releaseAction,
	saverAction,
	tellAction,
	waitAction
} from '#lib/server/board-actions.ts';
import { loadBoard } from '#lib/server/board-load.ts';
import { readSearch } from '#lib/search.ts';
import { listsFor } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

/** A search that is not whole goes back to where one is made, keeping what it has. */
const searchOf = ({ url }: Pick<RequestEvent, 'url'>): BoardQuery => {
	const search = readSearch(url.searchParams);
	if (!search.ok) redirect(303, `/${url.search}`);
	return search.value;
};

export const load: PageServerLoad = async (event) => {
	const query = searchOf(event);
	return { ...(await loadBoard(event.locals, query)), lists: listsFor(query) };
};

export const actions: Actions = {
	hold: (event) => holdAction(event, searchOf(event)),
	release: releaseAction,
	tell: (event) => tellAction(event, searchOf(event)),
	wait: (event) => waitAction(event, searchOf(event)),
	saver: saverAction
};
