import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slotStates, slotStatuses } from '#domain/slot.ts';
import { toInstant } from '#domain/time.ts';
import { decideSlot, type SlotBefore } from '#server/store/slot-outcome.ts';
import { wireNewsOf, wireSlotOf, wireViewOf, type WireView } from '#server/store/wire.ts';

const { gone, open, held, taken } = slotStates;
const minutes = 60_000;
const times = {
	id: 7 as never,
	scheduleId: 3 as never,
	startsAt: toInstant(1_000 * minutes + 59_999),
	endsAt: toInstant(1_030 * minutes + 59_999)
};
const view = (state: WireView['state'], left = 0): WireView => ({ state, left });

const unnumbered = { version: '', sourceSlotId: 'a' };

const before = fc.record({
	status: fc.constantFrom(...slotStatuses),
	remaining: fc.nat({ max: 4 }),
	isRemoved: fc.boolean(),
	liveClaims: fc.nat({ max: 3 }),
	isOwnNewer: fc.boolean(),
	isPushNewer: fc.constant(false),
	version: fc.constant(''),
	sourceSlotId: fc.constant('a'),
	isRecent: fc.boolean()
});
const fact = fc.option(
	fc.record({
		status: fc.constantFrom(...slotStatuses),
		remaining: fc.nat({ max: 4 }),
		version: fc.constantFrom('', '3'),
		sourceSlotId: fc.constant('a')
	})
);

describe('what a viewer sees', () => {
	test.each([
		['free', 1, 0, false, view(open, 1)],
		['free', 3, 1, false, view(open, 2)],
		['free', 1, 1, false, view(held)],
		['free', 1, 2, false, view(held)],
		['free', 0, 0, false, view(taken)],
		['free', 1, 0, true, view(gone)],
		['busy-tentative', 0, 0, false, view(held)],
		['busy', 0, 1, false, view(taken)],
		['busy-unavailable', 0, 0, false, view(taken)],
		['entered-in-error', 0, 0, false, view(gone)]
	] as const)(
		'[S9] %s, %i places, %i claims, removed %s',
		(...[status, remaining, liveClaims, isRemoved, seen]) => {
			expect(wireViewOf({ status, remaining, liveClaims, isRemoved })).toEqual(seen);
		}
	);

	test('[S8] times travel as whole minutes', () => {
		expect(wireSlotOf(times, view(open, 2))).toEqual([7, 3, 1_000, 30, 1, 2]);
	});
});

describe('what is told', () => {
	const whole = (state: WireView['state'], left: number) => [7, 3, 1_000, 30, state, left];
	test.each([
		['nothing changed', view(open, 1), view(open, 1), null],
		['appeared open', view(gone), view(open, 2), whole(1, 2)],
		['appeared held', view(gone), view(held), whole(2, 0)],
		['appeared taken', view(gone), view(taken), null],
		['fewer places', view(open, 2), view(open, 1), whole(1, 1)],
		['held', view(open, 1), view(held), [7, 2]],
		['taken', view(open, 1), view(taken), [7, 3]],
		['taken back to held', view(taken), view(held), whole(2, 0)],
		['open again', view(held), view(open, 1), whole(1, 1)],
		['vanished', view(open, 1), view(gone), [7, 0]],
		['taken and vanished', view(taken), view(gone), [7, 0]]
	] as const)('[S8] %s', (_what, was, is, change) => {
		expect(wireNewsOf(times, was, is)).toEqual(change);
	});

	test('[S8] a board that applies the news shows what a snapshot would', () => {
		const isShown = ({ state }: WireView) => state === open || state === held;
		fc.assert(
			fc.property(fc.array(fc.tuple(before, fact), { maxLength: 12 }), (steps) => {
				let shown: WireView | null = null;
				let now: WireView = view(gone);
				for (const [row, told] of steps) {
					const after = told === null ? view(gone) : wireViewOf({ ...row, ...told });
					const news = wireNewsOf(times, now, after);
					if (news?.length === 6) shown = { state: news[4], left: news[5] };
					else if (news !== null && shown !== null) shown = { state: news[1], left: 0 };
					now = after;
					expect(shown !== null && isShown(shown) ? shown : null).toEqual(
						isShown(now) ? now : null
					);
				}
			})
		);
	});
});

describe('what a poll may do', () => {
	test('[S6] never opens a slot, nor a place of it, that we changed after it began', () => {
		fc.assert(
			fc.property(before, fact, (row, told) => {
				const { before: was, after } = decideSlot({ ...row, isOwnNewer: true }, told);
				const opens = after.state === open && (was.state !== open || after.left > was.left);
				expect(opens).toBe(false);
			})
		);
	});

	test('[S6] keeps nothing when we changed nothing', () => {
		fc.assert(
			fc.property(before, fact, (row, told) => {
				expect(decideSlot({ ...row, isOwnNewer: false }, told).isKept).toBe(false);
				expect(decideSlot(null, told).isKept).toBe(false);
			})
		);
	});

	test('[S7] notes closing once, and forgets it when the slot is open', () => {
		const row = (status: SlotBefore['status'], remaining: number): SlotBefore => ({
			status,
			remaining,
			isRemoved: false,
			liveClaims: 0,
			isOwnNewer: false,
			isPushNewer: false,
			...unnumbered,
			isRecent: true
		});
		const busy = { status: 'busy', remaining: 0, ...unnumbered } as const;
		const free = { status: 'free', remaining: 1, ...unnumbered } as const;
		expect(decideSlot(row('free', 1), busy).takenAt).toBe('now');
		expect(decideSlot(row('free', 1), null).takenAt).toBe('now');
		expect(decideSlot(row('busy-tentative', 0), busy).takenAt).toBe('now');
		expect(decideSlot(row('busy', 0), busy).takenAt).toBe('keep');
		expect(decideSlot(row('busy', 0), null).takenAt).toBe('keep');
		expect(decideSlot(row('busy', 0), free).takenAt).toBe('clear');
		expect(decideSlot(null, busy).takenAt).toBe('keep');
	});

	test.each([
		['older', '4', {}, true],
		['the same', '5', {}, false],
		['newer', '10', {}, false],
		['older, but of another record', '4', { sourceSlotId: 'b' }, false],
		['no number', 'abc', {}, false],
		['untold', '', {}, false]
	])('[S32][D8] a version that is %s', (_name, version, over, isKept) => {
		fc.assert(
			fc.property(before, fact, (row, told) => {
				if (told === null) return;
				const known = { ...row, isOwnNewer: false, version: '5', isRecent: true };
				const outcome = decideSlot(known, { ...told, version, ...over });
				expect(outcome.isKept).toBe(isKept);
				if (isKept) expect(outcome.after).toEqual(outcome.before);
				const old = { ...known, isRecent: false };
				expect(decideSlot(old, { ...told, version, ...over }).isKept).toBe(false);
			})
		);
	});
});
