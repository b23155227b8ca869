// The board and its parts: what is open for a search, one provider, one time, the nearest times.
// Everything of one answer comes from one snapshot of the database.
import {
	BOARD_WINDOW_MS,
	matchesDayPart,
	SLOTS_PER_SCHEDULE,
	startOf,
	type Board,
	type BoardQuery,
	type ScheduleCard
} from '#domain/board.ts';
import type { SlotView } from '#domain/api.ts';
import { decideFilling, type FillingUp } from '#domain/availability.ts';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { WireSlot } from '#domain/protocol.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import { roomsToFollow } from '#domain/room.ts';
import { slotStates } from '#domain/slot.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import { readSupply } from '../store/alerts.ts';
import {
	readNearestSlots,
	readNeighbourhood,
	readOpenSlots,
	readPoint,
	readSchedulesById,
	readSchedulesOfRooms,
	readWireSlot,
	withSnapshot,
	type ScheduleRow
} from '../store/board.ts';
import { listRunningFilling } from '../store/alerts.ts';
import { cardOf, chooseSchedules, isOffered, layOutBoard } from './lay-out-board.ts';

type Deps = { readonly sql: Sql };

/** B5: a running "filling up" is shown only while its numbers, counted now, still say so. */
const readFilling = async (tx: Tx, rows: readonly ScheduleRow[]): Promise<FillingUp[]> => {
	const running = await listRunningFilling(
		tx,
		rows.map((row) => row.id)
	);
	if (running.length === 0) return [];
	const filling: FillingUp[] = [];
	for (const supply of (await readSupply(tx, running)).values()) {
		const { scheduleId, fillingEpisode, fillingSince, left, of, takenLately } = supply;
		if (fillingEpisode === null || fillingSince === null || !decideFilling(supply, true)) continue;
		filling.push({
			scheduleId,
			episodeId: fillingEpisode,
			left,
			of,
			perHour: takenLately,
			since: fillingSince
		});
	}
	return filling;
};

export const readBoard =
	({ sql }: Deps) =>
	(query: BoardQuery): Promise<Board> =>
		withSnapshot(sql, async (tx) => {
			const rooms = roomsToFollow(query.specialty, query.region);
			const [point, rows] = await Promise.all([
				readPoint(tx, rooms),
				readSchedulesOfRooms(tx, rooms)
			]);
			const chosen = chooseSchedules(query, rows, point.asOf);
			const ids = chosen.offered.map((row) => row.id);
			const [slots, filling] = await Promise.all([
				readOpenSlots(tx, ids, point.asOf, BOARD_WINDOW_MS),
				readFilling(tx, chosen.offered)
			]);
			return layOutBoard(query, point, chosen, { slots, filling });
		});

/** Cards of providers a viewer met in a change; `moreOpen` counts beyond the first few times. */
export const readSchedules =
	({ sql }: Deps) =>
	(ids: readonly ScheduleId[], query: BoardQuery | null): Promise<readonly ScheduleCard[]> =>
		withSnapshot(sql, async (tx) => {
			const { asOf } = await readPoint(tx, []);
			const rows = await readSchedulesById(tx, ids);
			const offered = rows.filter((row) => isOffered(row, asOf)).map((row) => row.id);
			const slots = await readOpenSlots(tx, offered, asOf, BOARD_WINDOW_MS);
			const open = new Map<ScheduleId, number>();
			for (const slot of slots) {
				const counts =
					slot[4] === slotStates.open && (query === null || matchesDayPart(query, startOf(slot)));
				if (counts) open.set(slot[1], (open.get(slot[1]) ?? 0) + 1);
			}
			return rows.map((row) => {
				const more = Math.max(0, (open.get(row.id) ?? 0) - SLOTS_PER_SCHEDULE);
				return cardOf(row, query?.plan ?? null, asOf, more);
			});
		});

const viewOf = (
	slot: WireSlot,
	rows: readonly ScheduleRow[],
	plan: string | null,
	asOf: Board['asOf']
): SlotView[] => {
	const row = rows.find((one) => one.id === slot[1]);
	return row === undefined ? [] : [{ slot, schedule: cardOf(row, plan, asOf, 0) }];
};

export const readSlot =
	({ sql }: Deps) =>
	(slotId: SlotId, query: BoardQuery | null): Promise<Result<SlotView, 'slot_unknown'>> =>
		withSnapshot(sql, async (tx) => {
			const { asOf } = await readPoint(tx, []);
			const slot = await readWireSlot(tx, slotId, asOf);
			if (slot === undefined) return refuse('slot_unknown');
			const rows = await readSchedulesById(tx, [slot[1]]);
			const [view] = viewOf(slot, rows, query?.plan ?? null, asOf);
			return view === undefined ? refuse('slot_unknown') : ok(view);
		});

/** Times read to find `limit` that also fit the day part. */
const DAY_PART_MARGIN = 20;

/**
 * B6: the same provider first, then whoever else the search (or the same rooms) offers. Two
 * statements, not one snapshot: each time is looked at by the second one alone.
 */
export const nearestOpen =
	({ sql }: Deps) =>
	async (slotId: SlotId, query: BoardQuery | null, limit: number): Promise<readonly SlotView[]> => {
		const rooms = query === null ? null : roomsToFollow(query.specialty, query.region);
		const near = await readNeighbourhood(sql, slotId, rooms);
		if (near === undefined) return [];
		const { asOf, rows } = near;
		const offered =
			query === null
				? rows.filter((row) => isOffered(row, asOf))
				: chooseSchedules({ ...query, scheduleId: null }, rows, asOf).offered;
		const isAnyPart = query === null || query.dayPart === 'any';
		const found = await readNearestSlots(sql, {
			schedules: offered.map((row) => row.id),
			first: near.scheduleId,
			minute: near.minute,
			at: asOf,
			limit: isAnyPart ? limit : limit * DAY_PART_MARGIN
		});
		return found
			.filter((slot) => query === null || matchesDayPart(query, startOf(slot)))
			.slice(0, limit)
			.flatMap((slot) => viewOf(slot, offered, query?.plan ?? null, asOf));
	};
