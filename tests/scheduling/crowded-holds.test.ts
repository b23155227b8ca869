import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { DeviceKey, RequestId, SlotId } from '#domain/ids.ts';
import { crowdedHolds } from '#server/scheduling/crowded-holds.ts';
import type { HoldWish, PlacedHold } from '#server/store/holds.ts';

const wishFor = (slot: number): HoldWish => ({
	device: DeviceKey.parse(randomBytes(32).toString('hex')),
	slotId: SlotId.parse(slot),
	requestId: RequestId.parse(randomUUID())
});
const wishesFor = (slot: number, count: number): HoldWish[] =>
	Array.from({ length: count }, () => wishFor(slot));

/** Places left per slot, as a database that answers late; `looks` = wishes per looking statement. */
const createDesk = (places: Record<number, number>) => {
	const decided: HoldWish[] = [];
	const looks: number[] = [];
	let [nowMs, broken] = [0, 0];
	const place = crowdedHolds({
		decide: async (wish): Promise<PlacedHold> => {
			decided.push(wish);
			await new Promise((resolve) => setImmediate(resolve));
			if (broken > 0) {
				broken -= 1;
				throw new Error('cut');
			}
			const left = places[wish.slotId] ?? 0;
			if (left === 0) return { outcome: 'slot_taken' };
			places[wish.slotId] = left - 1;
			return { outcome: 'hold_limit' };
		},
		readTaken: async (wishes) => {
			looks.push(wishes.length);
			return wishes.map((wish) => (places[wish.slotId] ?? 0) === 0);
		},
		now: () => nowMs
	});
	return {
		decided,
		looks,
		place,
		ask: (wishes: readonly HoldWish[]) => Promise.all(wishes.map(place)),
		breakNext: () => void (broken += 1),
		pass: (ms: number) => void (nowMs += ms)
	};
};

const taken = { outcome: 'slot_taken' };

test('[H44] of 200 who ask at once one is decided, and the others are looked at in one statement', async () => {
	const desk = createDesk({ 1: 1 });
	const answers = await desk.ask(wishesFor(1, 200));
	expect(answers.filter(({ outcome }) => outcome === 'slot_taken')).toHaveLength(199);
	expect([desk.decided.length, desk.looks]).toEqual([1, [199]]);
});

test('[H44] a crowd at several times is looked at together, in statements of bounded size', async () => {
	const desk = createDesk({});
	await desk.ask([wishFor(1), wishFor(2)]);
	await desk.ask([...wishesFor(1, 150), ...wishesFor(2, 150)]);
	expect([desk.decided.length, desk.looks]).toEqual([2, [200, 100]]);
});

test('[H44] a time that nobody is known to want is decided at once, without looking', async () => {
	const desk = createDesk({ 1: 1, 2: 1 });
	await desk.ask([wishFor(1), wishFor(2)]);
	expect([desk.decided.length, desk.looks]).toEqual([2, []]);
});

test('[H44] a time found taken is looked at for a minute, then fought for again', async () => {
	const desk = createDesk({ 1: 0 });
	await desk.place(wishFor(1));
	desk.pass(59_999);
	expect(await desk.place(wishFor(1))).toEqual(taken);
	expect([desk.decided.length, desk.looks]).toEqual([1, [1]]);
	desk.pass(60_000);
	await desk.place(wishFor(1));
	expect([desk.decided.length, desk.looks]).toEqual([2, [1]]);
});

test('[H45] whom the look does not refuse is decided: places left, or a time that came back', async () => {
	const places: Record<number, number> = { 1: 3 };
	const desk = createDesk(places);
	const answers = await desk.ask(wishesFor(1, 10));
	expect(answers.filter(({ outcome }) => outcome !== 'slot_taken')).toHaveLength(3);
	expect(await desk.place(wishFor(1))).toEqual(taken);
	places[1] = 1;
	expect(await desk.place(wishFor(1))).toEqual({ outcome: 'hold_limit' });
});

test('[H45] a decision that fails fails for its own wish only', async () => {
	const desk = createDesk({ 1: 1 });
	desk.breakNext();
	const answers = await Promise.allSettled(wishesFor(1, 5).map(desk.place));
	expect(answers.map(({ status }) => status).toSorted()).toEqual([
		...Array.from({ length: 4 }, () => 'fulfilled'),
		'rejected'
	]);
	const outcomes = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : null));
	expect(outcomes).toContainEqual({ outcome: 'hold_limit' });
});

test('[H44] how many times are remembered is bounded', async () => {
	const desk = createDesk({});
	for (let slot = 1; slot <= 10_001; slot += 1) await desk.place(wishFor(slot));
	await desk.ask([wishFor(1), wishFor(10_001)]);
	expect([desk.decided.length, desk.looks]).toEqual([10_002, [1]]);
});
