// Why a board is empty. Unknown is an answer of its own: never "none" when we could not look.
import type { PageBoard } from './page-board.ts';

export type Emptiness = 'nobody' | 'unknown' | 'filtered' | 'none';

/** U11: nobody offers it; we could not check; the choices leave all out; or all is taken. */
export const emptinessOf = (
	board: Pick<PageBoard, 'providerCount' | 'unknownCount' | 'query' | 'outOfPlanCount'>
): Emptiness => {
	const { query } = board;
	if (board.providerCount === 0) return 'nobody';
	if (board.unknownCount > 0) return 'unknown';
	const isNarrow =
		query.kinds.length > 0 ||
		query.dayPart !== 'any' ||
		query.language !== null ||
		board.outOfPlanCount > 0;
	return isNarrow ? 'filtered' : 'none';
};
