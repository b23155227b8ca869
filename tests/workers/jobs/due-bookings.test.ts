// The loop that writes due bookings without a queue: how many at a time, and who waits for whom.
import { expect, test } from 'vitest';
import { BookingId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import type { ClaimedBooking } from '#server/store/claim-bookings.ts';
import { MOST_AT_ONCE, writeDueBookings } from '#workers/jobs/due-bookings.ts';
import { createSourcePlaces, PLACES_PER_SOURCE } from '#workers/jobs/source-places.ts';
import { until } from '../../support/until.ts';
import { createGate } from '../fakes.ts';

const sourceId = SourceId.parse(1);

const makeDue = (count: number): ClaimedBooking[] =>
	Array.from({ length: count }, (_, nr) => ({
		bookingId: BookingId.parse(`0191d3c4-6f00-4c3e-9f6e-${String(nr).padStart(12, '0')}`),
		sourceId,
		attempts: 1
	}));

const setUp = (count: number, write: (nr: number) => Promise<unknown>) => {
	const due = makeDue(count);
	const queue = [...due];
	const done: number[] = [];
	const stopping = new AbortController();
	let [running, most, asked] = [0, 0, 0];
	const loop = writeDueBookings({
		claim: async (limit) => {
			asked += 1;
			return queue.splice(0, limit);
		},
		write: async (claimed) => {
			running += 1;
			most = Math.max(most, running);
			const nr = due.indexOf(claimed);
			await write(nr);
			running -= 1;
			done.push(nr);
		},
		signal: stopping.signal
	});
	return { loop, queue, done, stop: () => stopping.abort(), most: () => most, asked: () => asked };
};

test('[W48] a heap of bookings is written in one go, so many at a time', async () => {
	const { loop, done, most } = setUp(500, async () => null);
	await loop.run();
	await until(() => done.length === 500);
	expect(new Set(done).size).toBe(500);
	expect(most()).toBe(MOST_AT_ONCE);
});

test('[W48] a booking whose clinic never answers holds up no other', async () => {
	const gate = createGate();
	const { loop, done } = setUp(100, async (nr) => (nr === 3 ? await gate.passed : null));
	await loop.run();
	await until(() => done.length === 99);
	expect(done).not.toContain(3);
	gate.open();
	await must(loop.settled)();
	expect(done).toContain(3);
});

test('[W18] closing waits for what is being written and takes up no more', async () => {
	const gate = createGate();
	const { loop, queue, done } = setUp(MOST_AT_ONCE + 5, () => gate.passed);
	await loop.run();
	const closed = must(loop.settled)();
	gate.open();
	await closed;
	expect(done).toHaveLength(MOST_AT_ONCE);
	expect(queue).toHaveLength(5);
});

test('[W18] when the time for draining is over nothing is taken up', async () => {
	const { loop, stop, asked } = setUp(5, async () => null);
	stop();
	await loop.run();
	expect(asked()).toBe(0);
});

test('[W22] a fault while taking up is the turn’s own, and the next turn goes on', async () => {
	let isAway = true;
	const written: ClaimedBooking[] = [];
	const loop = writeDueBookings({
		claim: async () => {
			if (isAway) throw new Error('Postgres is away');
			return written.length === 0 ? makeDue(1) : [];
		},
		write: async (claimed) => void written.push(claimed),
		signal: new AbortController().signal
	});
	await expect(loop.run()).rejects.toThrow('Postgres is away');
	isAway = false;
	await loop.run();
	expect(written).toHaveLength(1);
});

test('[W49] a source has so many places, each given back once it is left', () => {
	const places = createSourcePlaces();
	const other = SourceId.parse(2);
	const leaves = Array.from({ length: PLACES_PER_SOURCE }, () => must(places.enter(sourceId)));
	expect(places.enter(sourceId)).toBeNull();
	const leaveOther = must(places.enter(other));
	expect([...places.busy]).toEqual([
		[sourceId, PLACES_PER_SOURCE],
		[other, 1]
	]);
	for (const leave of leaves) leave();
	leaveOther();
	expect(places.busy.size).toBe(0);
	expect(places.enter(sourceId)).not.toBeNull();
});
