// The hub's tables in the form of the model's dump, so that both can be compared as they are.
import type { SlotId, WaitingId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import type { Dump, Key } from './steps.ts';
import { BASE, deviceOf, REQUEST_PREFIX, type Twin } from './twin.ts';

type HoldName = { readonly slot: SlotId; readonly fence: number };
type SlotRow = {
	readonly id: SlotId;
	readonly status: Dump['slots'][number]['status'];
	readonly capacity: number;
	readonly remaining: number;
	readonly isRemoved: boolean;
	readonly fence: number;
	readonly ownChangedAt: number;
	readonly fences: readonly number[];
	readonly untils: readonly number[];
};
type HoldRow = HoldName & {
	readonly device: string;
	readonly state: Dump['holds'][number]['state'];
	readonly expiresAt: number;
	readonly isExtended: boolean;
};
type BookingRow = HoldName & Omit<Dump['bookings'][number], 'key' | 'device'> & { device: string };
type EntryRow = {
	readonly id: WaitingId;
	readonly state: Dump['line'][number]['state'];
	readonly lapses: number;
	readonly slot: SlotId | null;
	readonly fence: number;
	readonly passed: readonly SlotId[];
};

const since = (at: number): number => (at === -Infinity ? -1 : at - BASE);

const readRows = ({ sql }: Twin) =>
	Promise.all([
		sql<SlotRow[]>`
			select id, status, capacity, remaining, removed_at is not null as "isRemoved", fence,
				own_changed_at as "ownChangedAt", claim_fences as fences, claim_untils as untils
			from slots`,
		sql<HoldRow[]>`
			select slot_id as slot, fence, device_key as device, state, expires_at as "expiresAt",
				extended_at is not null as "isExtended" from holds`,
		sql<BookingRow[]>`
			select slot_id as slot, fence, device_key as device, shown_state as state, exclusive,
				attempts, cancel_round as round from bookings`,
		sql<EntryRow[]>`
			select e.id, e.state, e.lapses, h.slot_id as slot, h.fence, coalesce((
				select array_agg(p.slot_id) from waiting_passed p where p.entry_id = e.id), '{}') as passed
			from waiting_entries e left join holds h on h.id = e.hold_id order by e.nr`,
		sql<{ device: string; request: number }[]>`
			select device_key as device, right(request_id::text, 12)::int as request
			from requests where starts_with(request_id::text, ${REQUEST_PREFIX})`
	]);

export const dumpTables = async (twin: Twin): Promise<Dump> => {
	const { slots, model, entries } = twin;
	const devices = new Map<string, number>(model.devices.map(({ nr }) => [deviceOf(nr), nr]));
	const entryNrs = new Map([...entries].map(([nr, id]) => [id, nr]));
	const slotNr = (id: SlotId): number => slots.indexOf(id);
	const key = ({ slot, fence }: HoldName): Key => `${slotNr(slot)}:${fence}`;
	const device = (text: string): number => must(devices.get(text), 'device');
	const byKey = (a: { key: Key }, b: { key: Key }): number => a.key.localeCompare(b.key);
	const [slotRows, holdRows, bookingRows, entryRows, requestRows] = await readRows(twin);
	return {
		slots: slotRows
			.map(({ id, fences, untils, ownChangedAt, ...row }) => ({
				nr: slotNr(id),
				...row,
				ownChangedAt: since(ownChangedAt),
				claims: fences.map((fence, at) => ({ fence, until: since(must(untils[at], 'until')) }))
			}))
			.toSorted((a, b) => a.nr - b.nr),
		holds: holdRows
			.map((row) => ({
				key: key(row),
				device: device(row.device),
				state: row.state,
				expiresAt: since(row.expiresAt),
				isExtended: row.isExtended
			}))
			.toSorted(byKey),
		bookings: bookingRows
			.map(({ slot, fence, ...row }) => ({
				...row,
				key: key({ slot, fence }),
				device: device(row.device)
			}))
			.toSorted(byKey),
		line: entryRows.map(({ id, state, lapses, slot, fence, passed }) => ({
			nr: must(entryNrs.get(id), 'entry'),
			state,
			lapses,
			hold: slot === null ? null : key({ slot, fence }),
			passed: passed.map(slotNr).toSorted((a, b) => a - b)
		})),
		requests: requestRows
			.map((row) => `${device(row.device)} ${row.request}`)
			.toSorted((a, b) => a.localeCompare(b))
	};
};
