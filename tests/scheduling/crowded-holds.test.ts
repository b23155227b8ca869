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

/** A hub whose looks are answered by hand, one after the other; nobody has a place. */
const createSlowDesk = async () => {
	const looks: { size: number; answer: () => void; fail: () => void }[] = [];
	const place = crowdedHolds({
		decide: async () => ({ outcome: 'slot_taken' }),
		readTaken: (wishes) =>
			new Promise((resolve, reject) => {
				looks.push({
					size: wishes.length,
					answer: () => resolve(wishes.map(() => true)),
					fail: () => reject(new Error('cut'))
				});
			})
	});
	await place(wishFor(1));
	/** Many who ask in one turn; resolves when their statement, if there is one, is under way. */
	const crowd = async (count: number) => {
		const answers = Promise.allSettled(wishesFor(1, count).map(place));
		await turn();
		return { answers };
	};
	return { crowd, looks, sizes: () => looks.map(({ size }) => size) };
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const countOf = (answers: readonly PromiseSettledResult<PlacedHold>[], status: string): number =>
	answers.filter((answer) => answer.status === status).length;

test('[H46] who asks while two looks are under way is looked at with all others who do', async () => {
	const { crowd, looks, sizes } = await createSlowDesk();
	const crowds = [await crowd(3), await crowd(4), await crowd(5), await crowd(6)];
	expect(sizes()).toEqual([3, 4]);
	looks[1]?.answer();
	await turn();
	expect(sizes()).toEqual([3, 4, 11]);
	expect(countOf((await crowds[1]?.answers) ?? [], 'fulfilled')).toBe(4);
	looks[2]?.answer();
	await Promise.all([crowds[2]?.answers, crowds[3]?.answers]);
	// The first one hangs still; a newcomer does not wait for it.
	await crowd(1);
	expect(sizes()).toEqual([3, 4, 11, 1]);
});

test('[H46] a look that fails fails for those it looked at, and the next one begins', async () => {
	const { crowd, looks, sizes } = await createSlowDesk();
	const [first, , last] = [await crowd(2), await crowd(2), await crowd(250)];
	looks[0]?.fail();
	expect(countOf(await first.answers, 'rejected')).toBe(2);
	expect(sizes()).toEqual([2, 2, 200]);
	looks[1]?.answer();
	looks[2]?.answer();
	await turn();
	expect(sizes()).toEqual([2, 2, 200, 50]);
	looks[3]?.answer();
	expect(countOf(await last.answers, 'fulfilled')).toBe(250);
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
