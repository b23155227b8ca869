// The board as a page carries it: only what is drawn, because it travels twice (HTML and data).
import { heatOf, type Heat } from './heat.ts';
import type { Board, BoardQuery, ScheduleCard } from '#domain/board.ts';

export type Card = Omit<ScheduleCard, 'regions' | 'planIds' | 'freshness'>;

export type PageBoard = Omit<Board, 'schedules' | 'query' | 'openHours'> & {
	readonly query: BoardQuery;
	readonly cards: readonly Card[];
	readonly heat: Heat;
};

export const toCard = ({
	regions: _regions,
	planIds: _planIds,
	freshness: _freshness,
	...card
}: ScheduleCard): Card => card;

/** Providers without a time in this search stay in, up to this many: one can ask to be told. */
const MAX_IDLE_CARDS = 20;

export const toPageBoard = ({ schedules, openHours, ...board }: Board): PageBoard => {
	const withTimes = new Set(board.slots.map((slot) => slot[1]));
	const idle = schedules.filter(({ id }) => !withTimes.has(id)).slice(0, MAX_IDLE_CARDS);
	const shown = schedules.filter(({ id }) => withTimes.has(id));
	const heat = heatOf(openHours, { zone: board.query.zone, now: board.asOf });
	return { ...board, heat, cards: [...shown, ...idle].map(toCard) };
};
