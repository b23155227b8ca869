// Times that nobody is shown (closed by their clinic, or shown by a twin): what viewers are told when
// that changes.
import type { RoomId, ScheduleId, SlotId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { slotStates } from '#domain/slot.ts';
import type { Tx } from '../platform/postgres.ts';
import { appendChanges, tell, type RoomNews } from './change-log.ts';
import type { UpcomingSlot } from './slot-rows.ts';
import { goneView, wireNewsOf, wireViewOf } from './wire.ts';

/** A schedule whose hidden span changed, before and after as Postgres writes ranges. */
export type Rehidden = {
	readonly id: ScheduleId;
	readonly roomIds: readonly RoomId[];
	readonly before: string;
	readonly after: string;
};

type MovedSlot = UpcomingSlot & { readonly wasHidden: boolean; readonly isHidden: boolean };

/** Slots whose being hidden changed. Locked, so that a hold under way is told in its turn. */
const readMoved = (tx: Tx, changed: readonly Rehidden[]): Promise<MovedSlot[]> => tx<MovedSlot[]>`
	select s.id, s.schedule_id as "scheduleId", s.starts_at as "startsAt",
		s.ends_at as "endsAt", s.status, s.remaining, false as "isRemoved",
		(select count(*)::int from unnest(s.claim_untils) u where u > clock_timestamp())
			as "liveClaims",
		x.before @> s.starts_at as "wasHidden", x.after @> s.starts_at as "isHidden"
	from json_to_recordset(${JSON.stringify(changed)}::text::json)
		as x (id bigint, before tstzrange, after tstzrange)
	join slots s on s.schedule_id = x.id
	where s.removed_at is null and s.starts_at > clock_timestamp()
		and (x.before @> s.starts_at) <> (x.after @> s.starts_at)
	order by s.id for update of s`;

/** Times that come back are news to those who asked to hear of openings. */
const noteReopened = async (tx: Tx, ids: readonly SlotId[]): Promise<void> => {
	if (ids.length === 0) return;
	await tx`update slots set changed_at = clock_timestamp() where id = any (${[...ids]}::bigint[])`;
};

/** Tells viewers which times they are shown no more, and which are back. Call it last. */
export const tellHidden = async (tx: Tx, changed: readonly Rehidden[]): Promise<RoomEntry[]> => {
	const rooms = new Map(changed.map(({ id, roomIds }) => [id, roomIds]));
	const news: RoomNews = new Map();
	const reopened: SlotId[] = [];
	for (const slot of await readMoved(tx, changed)) {
		const view = wireViewOf(slot);
		const change = wireNewsOf(
			slot,
			slot.wasHidden ? goneView : view,
			slot.isHidden ? goneView : view
		);
		if (change === null) continue;
		if (!slot.isHidden && view.state === slotStates.open) reopened.push(slot.id);
		tell(news, rooms.get(slot.scheduleId) ?? [], change);
	}
	await noteReopened(tx, reopened);
	return await appendChanges(tx, news);
};
