import { expect, test } from 'vitest';
import {
	clinicFolding,
	createRoomBatcher,
	foldEntries,
	slotFolding
} from '#server/live/room-batcher.ts';
import type { Timers } from '#server/live/room-batcher.ts';
import { MAX_DELTA_CHANGES } from '#domain/protocol.ts';
import type { ClinicChange, RoomBatch, RoomEntry, WireChange } from '#domain/protocol.ts';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import { randomFrom } from '../support/random.ts';

const room = 'dermatology:us-mt';
const slot = (id: number): SlotId => id as SlotId;
const opened = (id: number): WireChange => [slot(id), 7 as ScheduleId, 29_000_000, 20, 1, 1];
const flip = (id: number, state: 0 | 2 | 3): WireChange => [slot(id), state];
const entry = (seq: number, ...changes: WireChange[]): RoomEntry => ({ room, seq, changes });

/** Time that a test moves; work runs when its moment has come. */
const createTimers = () => {
	let now = 0;
	let due: { at: number; work: () => void }[] = [];
	const timers: Timers = {
		now: () => now,
		set: (work, ms) => {
			const job = { at: now + Math.max(0, ms), work };
			due.push(job);
			return () => {
				due = due.filter((other) => other !== job);
			};
		}
	};
	const advance = (ms: number): void => {
		const end = now + ms;
		for (;;) {
			const next = due.filter((job) => job.at <= end).toSorted((a, b) => a.at - b.at)[0];
			if (next === undefined) break;
			due = due.filter((job) => job !== next);
			now = next.at;
			next.work();
		}
		now = end;
	};
	return { timers, advance, now: () => now };
};

const setUp = (head = 10) => {
	const { timers, advance, now } = createTimers();
	const sent: (RoomBatch & { at: number })[] = [];
	const batcher = createRoomBatcher<WireChange>({
		room,
		epoch: 'e1',
		head,
		folding: slotFolding,
		timers,
		send: (batch) => sent.push({ ...batch, at: now() })
	});
	return { batcher, sent, advance };
};

test('[V4] the first change after a quiet window leaves in the same turn', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1))]);
	advance(0);
	expect(sent).toEqual([{ room, epoch: 'e1', from: 10, to: 11, changes: [opened(1)], at: 0 }]);
});

test('[V4] after a batch the next one leaves a window later, with all that came meanwhile', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1))]);
	advance(10);
	batcher.add([entry(12, opened(2))]);
	advance(20);
	batcher.add([entry(13, opened(3))]);
	advance(100);
	expect(sent.map(({ at, from, to }) => [at, from, to])).toEqual([
		[0, 10, 11],
		[50, 11, 13]
	]);
});

test('[L9] what a change waited at its publisher counts: it leaves one window after its commit', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1))]);
	advance(5);
	batcher.add([entry(12, opened(2))], 15);
	advance(20);
	batcher.add([entry(13, opened(3))], 10);
	advance(14);
	expect(sent).toHaveLength(1);
	advance(1);
	expect(sent.map(({ at, from, to }) => [at, from, to])).toEqual([
		[0, 10, 11],
		[40, 11, 13]
	]);
});

test('[L9] a batch that is nearly due leaves with the entry that woke the hub', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1))]);
	advance(45);
	batcher.add([entry(12, opened(2))], 44);
	batcher.add([entry(13, opened(3))], 44);
	advance(0);
	expect(sent.map(({ at, from, to }) => [at, from, to])).toEqual([
		[0, 10, 11],
		[45, 11, 13]
	]);
});

test('[L9] a publisher that gathers does not add to the wait', () => {
	const { batcher, sent, advance } = setUp(0);
	const gatherMs = 23;
	let told = 0;
	for (let now = 0; now <= 2_000; now += 1) {
		const committed = Math.floor(now / 5) + 1;
		if (now % gatherMs === 0 && committed > told) {
			const entries = Array.from({ length: committed - told }, (_, i) =>
				entry(told + i + 1, flip(told + i + 1, 3))
			);
			batcher.add(entries, now - told * 5);
			told = committed;
		}
		advance(1);
	}
	const waits = sent.flatMap(({ at, from, to }) =>
		Array.from({ length: to - from }, (_, i) => at - (from + i) * 5)
	);
	expect(Math.max(...waits)).toBeLessThanOrEqual(50);
	expect(sent.length).toBeLessThanOrEqual(2_000 / 40);
});

test('[L10] however many publishers tell of old changes, batches keep three fifths of a window apart', () => {
	const { batcher, sent, advance } = setUp(0);
	for (let seq = 1; seq <= 500; seq += 1) {
		batcher.add([entry(seq, flip(seq, 3))], 40);
		advance(2);
	}
	advance(100);
	const gaps = sent.slice(1).map(({ at }, i) => at - (sent[i]?.at ?? 0));
	expect(Math.min(...gaps)).toBeGreaterThanOrEqual(25);
	expect(sent.length).toBeLessThanOrEqual(1_000 / 25 + 1);
	expect(sent.at(-1)?.to).toBe(500);
});

test('[V4] 200 changes a second leave as at most 20 batches a second and wait at most 50 ms', () => {
	const { batcher, sent, advance } = setUp(0);
	for (let seq = 1; seq <= 200; seq += 1) {
		batcher.add([entry(seq, flip(seq, 3))]);
		advance(5);
	}
	advance(50);
	expect(sent.length).toBeLessThanOrEqual(21);
	const waits = sent.flatMap(({ at, from, to }) =>
		Array.from({ length: to - from }, (_, i) => at - (from + i) * 5)
	);
	expect(Math.max(...waits)).toBeLessThanOrEqual(50);
	expect(waits.length).toBe(200);
});

test('[V5] the latest state of a slot counts', () => {
	const entries = [entry(1, opened(1), opened(2)), entry(2, flip(1, 3)), entry(3, opened(1))];
	expect(foldEntries(entries, slotFolding)).toEqual([opened(2), opened(1)]);
});

test('[V5] a slot that opened and was held within one window travels whole', () => {
	const entries = [entry(1, opened(1)), entry(2, flip(1, 2))];
	expect(foldEntries(entries, slotFolding)).toEqual([[1, 7, 29_000_000, 20, 2, 0]]);
	expect(foldEntries([...entries, entry(3, flip(1, 0))], slotFolding)).toEqual([flip(1, 0)]);
});

test('[V5] the console gets the latest state of a booking and of a hold', () => {
	const booking = (state: 'confirming' | 'booked'): ClinicChange => ({
		kind: 'booking',
		bookingId: 'b',
		state,
		slotId: slot(1),
		scheduleId: 7 as ScheduleId,
		startsAt: 0
	});
	const hold = (held: boolean): ClinicChange => ({
		kind: 'hold',
		slotId: slot(1),
		scheduleId: 7 as ScheduleId,
		startsAt: 0,
		held
	});
	const entries = [
		{ room: 'clinic:1', seq: 1, changes: [hold(true), booking('confirming')] },
		{ room: 'clinic:1', seq: 2, changes: [booking('booked'), hold(false)] }
	];
	expect(foldEntries(entries, clinicFolding)).toEqual([booking('booked'), hold(false)]);
});

test('[F5][G15] of how many wait only the latest number is told', () => {
	const waiting = (count: number): ClinicChange => ({ kind: 'waiting', count });
	const entries = [1, 2, 3].map((count) => ({
		room: 'clinic:1',
		seq: count,
		changes: [waiting(count)]
	}));
	expect(foldEntries(entries, clinicFolding)).toEqual([waiting(3)]);
});

test('[V7] batches follow each other without holes, entries known already are skipped', () => {
	const random = randomFrom(20_261_121);
	const { batcher, sent, advance } = setUp(0);
	let seq = 0;
	while (seq < 500) {
		const again = random.int(0, Math.min(3, seq));
		const more = random.int(1, 4);
		const from = seq - again + 1;
		batcher.add(Array.from({ length: again + more }, (_, i) => entry(from + i, flip(from + i, 3))));
		seq += more;
		advance(random.int(0, 30));
	}
	advance(100);
	let at = 0;
	for (const batch of sent) {
		expect(batch.from).toBe(at);
		at = batch.to;
		expect(batch.changes.length).toBe(batch.to - batch.from);
	}
	expect(at).toBe(seq);
});

test('[V7] after a hole the next batch says where it begins', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1)), entry(15, opened(2))]);
	advance(100);
	expect(sent.map(({ from, to }) => [from, to])).toEqual([
		[10, 11],
		[14, 15]
	]);
});

test('[V4] a burst is cut into batches that a phone can take', () => {
	const { batcher, sent, advance } = setUp(0);
	for (let seq = 1; seq <= 20; seq += 1) {
		const changes = Array.from({ length: 500 }, (_, i) => flip(seq * 1_000 + i, 3));
		batcher.add([entry(seq, ...changes)]);
	}
	advance(100);
	expect(sent.flatMap((batch) => batch.changes).length).toBe(10_000);
	for (const batch of sent) {
		expect(batch.changes.length).toBeLessThan(MAX_DELTA_CHANGES + 500);
	}
});

test('[V4] a closed batcher sends nothing more', () => {
	const { batcher, sent, advance } = setUp();
	batcher.add([entry(11, opened(1))]);
	batcher.close();
	advance(100);
	expect(sent).toEqual([]);
});
