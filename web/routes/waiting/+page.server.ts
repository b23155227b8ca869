// The waiting lists this device stands in, and the times that are kept for it.
import type { Actions, RequestEvent } from '@sveltejs/kit';
import type { BoardQuery } from '#domain/board.ts';
import { HoldId, WaitingId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { WaitingView } from '#domain/waiting.ts';
import { writeSearch } from '#lib/search.ts';
import { wordsOf } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

const queryOf = ({ criteria }: WaitingView): BoardQuery => ({ ...criteria, planOnly: false });

export const load: PageServerLoad = async ({ locals: { hub, visitor } }) => {
	const lists = await hub.listWaiting(visitor.device);
	const ids = lists.flatMap(({ criteria }) => criteria.scheduleId ?? []);
	const cards = ids.length === 0 ? [] : await hub.readSchedules(ids, null);
	const names = new Map(cards.map((card) => [card.id, card.practitionerName]));
	return {
		lists: lists.map((list) => {
			const query = queryOf(list);
			const { scheduleId } = list.criteria;
			const path = scheduleId === null ? '/board' : `/board/provider/${scheduleId}`;
			return {
				...list,
				words: wordsOf(query),
				name: scheduleId === null ? null : (names.get(scheduleId) ?? null),
				search: writeSearch(query),
				href: `${path}?${writeSearch(query)}`
			};
		}),
		asOf: toInstant(Date.now())
	};
};

const idOf = async ({ request }: RequestEvent) =>
	WaitingId.safeParse((await request.formData()).get('id')).data ?? null;

export const actions: Actions = {
	leave: async (event) => {
		const { hub, visitor } = event.locals;
		const id = await idOf(event);
		if (id !== null) await hub.leaveWaiting(visitor.device, id);
		return {};
	},
	resume: async (event) => {
		const { hub, visitor } = event.locals;
		const id = await idOf(event);
		if (id !== null) await hub.resumeWaiting(visitor.device, id);
		return {};
	},
	pass: async ({ locals: { hub, visitor }, request }) => {
		const holdId = HoldId.safeParse((await request.formData()).get('holdId'));
		if (holdId.success) await hub.releaseHold(visitor.device, holdId.data);
		return {};
	}
};
