// The list as it is read: days, inside them providers, inside them times. An order once given to a
// provider stays, so that nothing jumps when its first time goes.
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import type { ScheduleId } from '#domain/ids.ts';
import { dayKeyAt } from './clock.ts';
import type { ShownSlot } from './feed-model.ts';
import type { Card } from './page-board.ts';

export type ProviderGroup = { readonly card: Card; readonly slots: readonly ShownSlot[] };
export type DayGroup = {
	readonly key: string;
	readonly openCount: number;
	readonly providers: readonly ProviderGroup[];
};

/** Where a provider stands within a day: the start of its first time when it was first seen. */
export type Ranks = Map<string, number>;

const rankOf = (ranks: Ranks, day: string, id: ScheduleId, start: number): number => {
	const key = `${day}|${id}`;
	const known = ranks.get(key);
	if (known !== undefined) return known;
	ranks.set(key, start);
	return start;
};

/** U9: days in the viewer's zone, providers soonest first, times in order. */
export const groupByDay = (
	slots: Iterable<ShownSlot>,
	cards: ReadonlyMap<ScheduleId, Card>,
	{ zone, ranks }: { readonly zone: string; readonly ranks: Ranks }
): readonly DayGroup[] => {
	const days = new Map<string, Map<ScheduleId, ShownSlot[]>>();
	const sorted = [...slots].toSorted((a, b) => a.startMinute - b.startMinute || a.id - b.id);
	for (const slot of sorted) {
		if (!cards.has(slot.scheduleId)) continue;
		const key = dayKeyAt(toInstant(slot.startMinute * MINUTE_MS), zone);
		const day = days.get(key) ?? new Map<ScheduleId, ShownSlot[]>();
		days.set(key, day);
		const own = day.get(slot.scheduleId) ?? [];
		day.set(slot.scheduleId, own);
		own.push(slot);
	}
	return [...days].map(([key, day]) => {
		const ranked = [...day].map(([id, own]) => ({
			card: cards.get(id),
			slots: own,
			rank: rankOf(ranks, key, id, own[0]?.startMinute ?? 0)
		}));
		const providers = ranked
			.toSorted((a, b) => a.rank - b.rank)
			.flatMap(({ card, slots: own }) => (card === undefined ? [] : [{ card, slots: own }]));
		const openCount = [...day.values()].flat().filter(({ state }) => state === 1).length;
		return { key, openCount, providers };
	});
};
