// Near polls and whole ones, each told against the last of its own kind, together show what the source
// lists.
import { expect, test } from 'vitest';
import { applyChanges, diffDelta, diffFull, type SlotChange } from '#domain/slot-diff.ts';
import { sameFact, slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { HOUR_MS, toInstant } from '#domain/time.ts';
import { noneMoved, noteMoved, tellMoved, type Moved } from '#workers/jobs/moved-slots.ts';
import { seededRandom } from '../../support/random.ts';
import { makeAnswer, makeFact } from '../fakes.ts';

type Slots = ReadonlyMap<SlotKey, SlotFact>;
type Window = ReturnType<typeof makeAnswer>['window'];
type Side = { listed: Slots; window: Window; moved: Moved } | null;

const factAt = (hour: number, over: Partial<SlotFact> = {}): SlotFact => {
	const startsAt = toInstant(hour * HOUR_MS);
	return makeFact(0, { startsAt, endsAt: toInstant(startsAt + HOUR_MS / 2), ...over });
};

const inside = (slots: Slots, { from, to }: Window): Slots =>
	new Map([...slots].filter(([, { startsAt }]) => startsAt >= from && startsAt < to));

/** As a connector tells it: in full, or what differs from the last listing of the same kind. */
const answerOf = (truth: Slots, window: Window, last: Side) => {
	const listed = inside(truth, window);
	if (last === null) {
		return makeAnswer({ window, listing: { form: 'full', facts: [...listed.values()] } });
	}
	const changes = diffFull(inside(last.listed, window), [...listed.values()], {
		state: 'complete',
		window,
		unreadSchedules: []
	});
	if (changes.length === 0) return makeAnswer({ window, listing: { form: 'unchanged' } });
	const changed = changes.flatMap((change) => (change.kind === 'removed' ? [] : [change.fact]));
	const gone = changes.flatMap((change) => (change.kind === 'removed' ? [change.key] : []));
	return makeAnswer({ window, listing: { form: 'delta', changed, gone, total: listed.size } });
};

const plain = (slots: Slots) => [...slots].toSorted(([a], [b]) => (a < b ? -1 : 1));

test('[W41] after any mixture of near and whole polls the store shows what was listed', () => {
	const random = seededRandom();
	for (let round = 0; round < 200; round += 1) {
		const truth = new Map<SlotKey, SlotFact>();
		let store: Map<SlotKey, SlotFact> = new Map();
		const sides: { near: Side; whole: Side } = { near: null, whole: null };
		let hour = 0;
		for (let step = 0; step < 40; step += 1) {
			for (let edits = random.int(0, 3); edits > 0; edits -= 1) {
				const free = random.chance(0.5);
				const fact = factAt(random.int(hour, hour + 30), {
					status: free ? 'free' : 'busy',
					remaining: free ? 1 : 0
				});
				if (random.chance(0.3)) truth.delete(slotKeyOf(fact));
				else truth.set(slotKeyOf(fact), fact);
			}
			if (random.chance(0.1)) hour += 1;
			const kind = random.chance(0.7) ? 'near' : 'whole';
			const other = kind === 'near' ? 'whole' : 'near';
			const length = kind === 'near' ? 6 : 24;
			const window = { from: toInstant(hour * HOUR_MS), to: toInstant((hour + length) * HOUR_MS) };
			const heard = answerOf(truth, window, sides[kind]);
			const answer = tellMoved(heard, sides[kind]?.moved ?? noneMoved);
			const changes: SlotChange[] =
				answer.listing.form === 'full'
					? diffFull(inside(store, window), answer.listing.facts, answer)
					: answer.listing.form === 'delta'
						? diffDelta(store, answer.listing, answer)
						: [];
			store = applyChanges(store, changes);
			sides[kind] = { listed: inside(truth, window), window, moved: noneMoved };
			const left = sides[other];
			const moved =
				left === null
					? null
					: noteMoved(left.moved, changes, {
							window: left.window,
							isFull: heard.listing.form === 'full'
						});
			sides[other] = left === null || moved === null ? null : { ...left, moved };
			if (kind === 'whole')
				expect(plain(inside(store, window))).toEqual(plain(inside(truth, window)));
			// That one vanished which has come near since the last near poll is the whole one's to tell.
			for (const [key, fact] of inside(truth, window)) {
				expect(sameFact(store.get(key) ?? factAt(0), fact)).toBe(true);
			}
		}
	}
});

const window = { from: toInstant(0), to: toInstant(10 * HOUR_MS) };
const scope = { window, isFull: false };
const free = factAt(3);
const busy = factAt(3, { status: 'busy', remaining: 0 });
const key = slotKeyOf(free);

test('[W41] "unchanged" of the whole listing puts back what a near poll saw otherwise meanwhile', () => {
	const moved = noteMoved(noneMoved, [{ kind: 'changed', key, fact: busy, was: free }], scope);
	const answer = tellMoved(
		makeAnswer({ window, listing: { form: 'unchanged' } }),
		moved ?? noneMoved
	);
	expect(answer.listing).toMatchObject({ form: 'delta', changed: [free], gone: [] });
	const added = noteMoved(noneMoved, [{ kind: 'added', key, fact: free }], scope);
	const without = tellMoved(
		makeAnswer({ window, listing: { form: 'unchanged' } }),
		added ?? noneMoved
	);
	expect(without.listing).toMatchObject({ form: 'delta', changed: [], gone: [key] });
});

test('[W41] what the answer names itself, and a partial or full answer, is told as it is', () => {
	const moved = new Map([[key, free]]);
	const delta = { form: 'delta', changed: [], gone: [key], total: 0 } as const;
	expect(tellMoved(makeAnswer({ window, listing: delta }), moved).listing).toEqual(delta);
	const partial = makeAnswer({ window, listing: { form: 'unchanged' }, state: 'partial' });
	expect(tellMoved(partial, moved)).toBe(partial);
	const full = makeAnswer({ window });
	expect(tellMoved(full, moved)).toBe(full);
});

test('[W41] what the listing cannot be said to have listed, or too much, ends it as a basis', () => {
	expect(
		noteMoved(noneMoved, [{ kind: 'removed', key, was: busy }], { window, isFull: true })
	).toBeNull();
	const many = Array.from({ length: 2_001 }, (_, at): SlotChange => {
		const fact = factAt(3, { scheduleKey: String(at) });
		return { kind: 'added', key: slotKeyOf(fact), fact };
	});
	expect(noteMoved(noneMoved, many, scope)).toBeNull();
	expect(
		noteMoved(noneMoved, many, { ...scope, window: { from: window.to, to: window.to } })
	).toEqual(noneMoved);
});
