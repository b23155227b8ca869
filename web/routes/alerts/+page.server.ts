// What this device asked to be told, and what it was told.
import type { Actions } from '@sveltejs/kit';
import type { AlertSubscription } from '#domain/alert.ts';
import { AlertSubscriptionId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { BoardQuery } from '#domain/board.ts';
import { writeSearch } from '#lib/search.ts';
import { wordsOf } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

const queryOf = ({ criteria }: AlertSubscription): BoardQuery => ({ ...criteria, planOnly: false });

export const load: PageServerLoad = async ({ locals: { hub, visitor } }) => {
	const [alerts, notices] = await Promise.all([
		hub.listAlerts(visitor.device),
		hub.listNotices(visitor.device)
	]);
	const ids = alerts.flatMap(({ criteria }) => criteria.scheduleId ?? []);
	const cards = ids.length === 0 ? [] : await hub.readSchedules(ids, null);
	const names = new Map(cards.map((card) => [card.id, card.practitionerName]));
	return {
		alerts: alerts.map((alert) => {
			const query = queryOf(alert);
			const { scheduleId } = alert.criteria;
			const path = scheduleId === null ? '/board' : `/board/provider/${scheduleId}`;
			return {
				id: alert.id,
				words: wordsOf(query),
				name: scheduleId === null ? null : (names.get(scheduleId) ?? null),
				href: `${path}?${writeSearch(query)}`
			};
		}),
		notices: notices.map((notice) => {
			const about = alerts.find(({ id }) => id === notice.subscriptionId);
			const href =
				about === undefined
					? null
					: `/board/provider/${notice.scheduleId}?${writeSearch(queryOf(about))}`;
			return { ...notice, href, zone: about?.criteria.zone ?? 'UTC' };
		}),
		asOf: toInstant(Date.now())
	};
};

export const actions: Actions = {
	remove: async ({ locals: { hub, visitor }, request }) => {
		const id = AlertSubscriptionId.safeParse((await request.formData()).get('id'));
		if (id.success) await hub.unsubscribeAlert(visitor.device, id.data);
		return {};
	}
};
