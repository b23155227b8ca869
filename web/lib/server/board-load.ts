// What a page of open times needs: the board, its words, and what this device holds.
import type { HubApi } from '#domain/api.ts';
import { startOf, type BoardQuery } from '#domain/board.ts';
import type { DeviceKey, HoldId, SlotId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import { toPageBoard } from '../page-board.ts';
import { writeSearch } from '../search.ts';
import { wordsOf } from '../search-words.ts';
import { newRequestId } from './request-ids.ts';

/** A time that this device holds, as the bar at the bottom shows it. */
export type HeldTime = {
	readonly holdId: HoldId;
	readonly slotId: SlotId;
	readonly ttlMs: number;
	readonly startsAt: Instant;
	readonly name: string;
};

export const readHeld = async (hub: HubApi, device: DeviceKey): Promise<readonly HeldTime[]> => {
	const holds = (await hub.listHolds(device)).filter(({ state }) => state === 'held');
	const found = await Promise.all(
		holds.map(async ({ id, slotId, ttlMs }) => {
			const view = await hub.readSlot(slotId, null);
			if (!view.ok) return [];
			const { slot, schedule } = view.value;
			const startsAt = startOf(slot);
			return [{ holdId: id, slotId, ttlMs, startsAt, name: schedule.practitionerName }];
		})
	);
	return found.flat();
};

export const loadBoard = async (locals: App.Locals, query: BoardQuery) => {
	const { hub, visitor } = locals;
	const [board, held] = await Promise.all([hub.readBoard(query), readHeld(hub, visitor.device)]);
	return {
		board: toPageBoard(board),
		held,
		search: writeSearch(query),
		words: wordsOf(query),
		nonce: newRequestId(),
		isSavingData: locals.isSavingData
	};
};

export type BoardData = Awaited<ReturnType<typeof loadBoard>>;
