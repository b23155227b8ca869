// All open times of one provider, live like the board itself.
import { error, redirect, type Actions, type RequestEvent } from '@sveltejs/kit';
import type { BoardQuery } from '#domain/board.ts';
import { ScheduleId } from '#domain/ids.ts';
import {
	holdAction,
	releaseAction,
	saverAction,
	tellAction,
	waitAction
} from '#lib/server/board-actions.ts';
import { loadBoard } from '#lib/server/board-load.ts';
import { readSearch } from '#lib/search.ts';
import type { PageServerLoad } from './$types';

const searchOf = ({ url, params }: Pick<RequestEvent, 'url' | 'params'>): BoardQuery => {
	const id = ScheduleId.safeParse(Number(params['id']));
	if (!id.success) error(404, 'no_such_provider');
	const search = readSearch(url.searchParams, id.data);
	if (!search.ok) redirect(303, '/');
	return search.value;
};

export const load: PageServerLoad = async (event) => {
	const query = searchOf(event);
	const data = await loadBoard(event.locals, query);
	const [card] = data.board.cards;
	if (card !== undefined) return { ...data, card };
	// Not in this search, but it may exist: its name is worth more than a dead end.
	const id = query.scheduleId;
	const [known] = id === null ? [] : await event.locals.hub.readSchedules([id], query);
	if (known === undefined) error(404, 'no_such_provider');
	return { ...data, card: known };
};

export const actions: Actions = {
	hold: (event) => holdAction(event, searchOf(event)),
	release: releaseAction,
	tell: (event) => tellAction(event, searchOf(event)),
	wait: (event) => waitAction(event, searchOf(event)),
	saver: saverAction
};
