// Random lives of holds and bookings against a plain model, and the log against the board: whoever
// folds a room's entries over an old board must see the new one.
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { regions } from '#domain/codes.ts';
import type { BookingId, DeviceKey, HoldId, SlotId } from '#domain/ids.ts';
import type { WireChange } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import { localRoom } from '#domain/room.ts';
import { expireHolds } from '#server/scheduling/expire-holds.ts';
import { settleBooking, type BookingOutcome } from '#server/store/bookings.ts';
import { readEntries } from '#server/store/change-log.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makeQuery,
	makeRequest,
	type World
} from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

type Claim = { slot: number; hold: HoldId; device: DeviceKey; booking: BookingId | null };
/** places = what the clinic still has; claims = ours on it. */
type Model = { places: number[]; claims: Claim[] };

const outcomes: readonly BookingOutcome[] = [
	{ state: 'booked', appointmentId: null, joinUrl: null },
	{ state: 'rejected', because: 'slot_taken' },
	{ state: 'rejected', because: 'clinic_refused' },
	{ state: 'unconfirmed' }
];

const step = fc.oneof(
	{ weight: 5, arbitrary: fc.record({ op: fc.constant('hold'), at: fc.nat(4) }) },
	{ weight: 2, arbitrary: fc.record({ op: fc.constant('release'), at: fc.nat() }) },
	{ weight: 2, arbitrary: fc.record({ op: fc.constant('expire'), at: fc.nat() }) },
	{ weight: 1, arbitrary: fc.record({ op: fc.constant('sweep'), at: fc.nat() }) },
	{ weight: 3, arbitrary: fc.record({ op: fc.constant('confirm'), at: fc.nat() }) },
	{ weight: 3, arbitrary: fc.record({ op: fc.constant('settle'), at: fc.nat() }) }
);

const life = fc.record({
	capacities: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 5 }),
	steps: fc.array(step, { minLength: 5, maxLength: 40 })
});

const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % list.length];
const claimsOn = (model: Model, slot: number) => model.claims.filter((c) => c.slot === slot).length;
const forget = (model: Model, claim: Claim) => {
	model.claims = model.claims.filter((one) => one !== claim);
};

const hold = async (model: Model, slots: readonly SlotId[], at: number) => {
	const slot = at % slots.length;
	const device = makeDevice();
	const slotId = must(slots[slot]);
	const reply = await world.api.placeHold(device, { slotId, requestId: makeRequest() });
	expect(reply.ok).toBe(claimsOn(model, slot) < must(model.places[slot]));
	if (reply.ok) model.claims.push({ slot, hold: reply.value.id, device, booking: null });
};

const settle = async (model: Model, claim: Claim, capacity: number, at: number) => {
	const outcome = must(pick(outcomes, at));
	const settled = await settleBooking(world.sql, must(claim.booking), outcome);
	if (settled === null || outcome.state === 'unconfirmed') return;
	// Booked on a slot of one place: the claim stays on top of the place that is gone.
	if (outcome.state !== 'booked' || capacity > 1) forget(model, claim);
	const isGone =
		outcome.state === 'booked' ||
		(outcome.state === 'rejected' && outcome.because === 'slot_taken');
	if (isGone) {
		model.places[claim.slot] = Math.max(0, must(model.places[claim.slot]) - 1);
	}
};

const act = async (
	model: Model,
	slots: readonly SlotId[],
	capacities: readonly number[],
	{ op, at }: { op: string; at: number }
) => {
	if (op === 'hold') return hold(model, slots, at);
	if (op === 'sweep') return void (await expireHolds(world)(100));
	const held = pick(
		model.claims.filter((c) => c.booking === null),
		at
	);
	if (op === 'settle') {
		const claim = pick(
			model.claims.filter((c) => c.booking !== null),
			at
		);
		if (claim !== undefined) await settle(model, claim, must(capacities[claim.slot]), at >> 3);
		return;
	}
	if (held === undefined) return;
	if (op === 'confirm') {
		const reply = await world.api.confirmBooking(held.device, makeConfirm(held.hold));
		if (reply.ok && reply.value.state !== 'rejected') held.booking = reply.value.id;
		return;
	}
	if (op === 'release') await world.api.releaseHold(held.device, held.hold);
	else await world.ageHold(held.hold);
	forget(model, held);
};

const fold = (known: Map<number, readonly number[]>, changes: readonly WireChange[]) => {
	for (const change of changes) {
		if (change.length > 2) known.set(change[0], [must(change[4]), must(change[5])]);
		else if (known.has(change[0])) known.set(change[0], [change[1], 0]);
	}
};

let run = 0;

test('[H12] the entries folded over an old board are the new board, whatever happened between', async () => {
	const lives = async ({
		capacities,
		steps
	}: {
		capacities: number[];
		steps: { op: string; at: number }[];
	}) => {
		const region = must(regions[run % regions.length]).code;
		run += 1;
		const room = localRoom('pediatrics', region);
		const scheduleId = await world.addSchedule(world.sourceId, {
			rooms: [room],
			regions: [region]
		});
		const slots: SlotId[] = [];
		for (const capacity of capacities) slots.push(await world.addSlot(scheduleId, { capacity }));
		const query = makeQuery({ specialty: 'pediatrics', region, scheduleId });
		const before = await world.api.readBoard(query);
		const known = new Map(
			before.slots.map((s) => [Number(s[0]), [s[4], s[5]] as readonly number[]])
		);
		const model: Model = { places: [...capacities], claims: [] };
		for (const one of steps) await act(model, slots, capacities, one);
		await expireHolds(world)(100);
		const after = await world.api.readBoard(query);
		const from = before.heads[room] ?? 0;
		const entries = must(await readEntries(world.sql, room, from, 1_000));
		expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, i) => from + 1 + i));
		expect(from + entries.length).toBe(after.heads[room]);
		for (const entry of entries) fold(known, entry.changes);
		const shown = [...known].filter(([, [state = 0]]) => state === 1 || state === 2);
		expect(new Map(shown)).toEqual(new Map(after.slots.map((s) => [Number(s[0]), [s[4], s[5]]])));
	};
	await fc.assert(fc.asyncProperty(life, lives), { numRuns: 40 });
});

test('[B9] every board taken while people hold and let go is what its position says', async () => {
	const room = localRoom('psychiatry', 'US-MT');
	const scheduleId = await world.addSchedule(world.sourceId, { rooms: [room] });
	const slots: SlotId[] = [];
	for (let i = 0; i < 6; i += 1)
		slots.push(await world.addSlot(scheduleId, { capacity: 1 + (i % 2) }));
	const query = makeQuery({ specialty: 'psychiatry', scheduleId });
	const stateOf = (board: Awaited<ReturnType<World['api']['readBoard']>>) =>
		new Map(board.slots.map((s) => [Number(s[0]), [s[4], s[5]] as readonly number[]]));
	const first = stateOf(await world.api.readBoard(query));
	const stop = new AbortController();
	const people = slots.map(async (slotId) => {
		while (!stop.signal.aborted) {
			const device = makeDevice();
			const held = await world.api.placeHold(device, { slotId, requestId: makeRequest() });
			if (held.ok) await world.api.releaseHold(device, held.value.id);
		}
	});
	const boards: Awaited<ReturnType<World['api']['readBoard']>>[] = [];
	// As many boards as it takes: a machine may be slow, the race must still have happened.
	let moved = 0;
	while (boards.length < 30 || moved < 10) {
		const board = await world.api.readBoard(query);
		if (board.heads[room] !== boards.at(-1)?.heads[room]) moved += 1;
		boards.push(board);
	}
	stop.abort();
	await Promise.all(people);
	const entries = must(await readEntries(world.sql, room, 0, 100_000));
	expect(entries.length).toBeGreaterThanOrEqual(moved - 1);
	for (const board of boards) {
		const known = new Map(first);
		for (const entry of entries) {
			if (entry.seq <= (board.heads[room] ?? 0)) fold(known, entry.changes);
		}
		expect(known).toEqual(stateOf(board));
	}
});
