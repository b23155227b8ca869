import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
	MAX_MISSING,
	hear,
	isPushSilent,
	type PushState,
	type Told
} from '#domain/push/subscription.ts';
import { toInstant } from '#domain/time.ts';

const told = (events: readonly number[], over: Partial<Told> = {}): Told => ({
	subscription: '9',
	status: 'active',
	type: 'event-notification',
	eventsSinceStart: null,
	events,
	...over
});

const standing = (lastEvent: number, missing: readonly number[] = []): PushState => ({
	subscription: '9',
	status: 'active',
	lastEvent,
	missing
});

test('[Y8] a beginning asks for a poll: what changed before was told to nobody', () => {
	const begun = hear(null, told([], { type: 'handshake', eventsSinceStart: 0 }));
	expect(begun).toMatchObject({ verdict: 'began', lost: 1, state: standing(0) });
	expect(hear(standing(7), told([1], { subscription: '10' }))).toMatchObject({
		verdict: 'began',
		news: [1],
		lost: 1
	});
});

test('[Y8] the next number is news, a gap asks for as many as it hides', () => {
	expect(hear(standing(7), told([8]))).toMatchObject({ verdict: 'ok', news: [8], lost: 0 });
	expect(hear(standing(7), told([11]))).toMatchObject({
		verdict: 'gap',
		news: [11],
		lost: 3,
		state: standing(11, [8, 9, 10])
	});
	expect(hear(standing(7), told([], { type: 'heartbeat', eventsSinceStart: 9 }))).toMatchObject({
		verdict: 'gap',
		lost: 2,
		state: standing(9, [8, 9])
	});
	expect(hear(standing(7), told([8], { eventsSinceStart: 9 }))).toMatchObject({
		verdict: 'gap',
		lost: 1,
		state: standing(9, [9])
	});
});

test('[Y8] a subscription that says it is out of order, and an event without a number, ask for a poll', () => {
	for (const status of ['error', 'off'] as const) {
		const heard = hear(standing(7), told([], { type: 'heartbeat', status, eventsSinceStart: 7 }));
		expect(heard).toMatchObject({ verdict: 'broken', lost: 1 });
	}
	expect(hear(standing(7), told([]))).toMatchObject({ verdict: 'ok', lost: 1 });
	expect(hear(standing(7), told([], { type: 'heartbeat' }))).toMatchObject({
		verdict: 'ok',
		lost: 0
	});
});

test('[Y9] a repeat is nothing, a late one counts once, numbers that fall back begin anew', () => {
	expect(hear(standing(7), told([6, 7]))).toMatchObject({
		verdict: 'repeat',
		news: [],
		repeated: 2,
		lost: 0,
		state: standing(7)
	});
	const late = hear(standing(11, [8, 9, 10]), told([9]));
	expect(late).toMatchObject({ verdict: 'ok', news: [9], state: standing(11, [8, 10]) });
	expect(hear(late.state, told([9])).verdict).toBe('repeat');
	expect(hear(standing(7), told([], { type: 'heartbeat', eventsSinceStart: 2 }))).toMatchObject({
		verdict: 'restarted',
		lost: 1,
		state: standing(2)
	});
});

test('[Y9] whatever order, loss or repetition: each event is news once, and what is lost is counted', () => {
	const way = fc.record({
		count: fc.integer({ min: 1, max: 40 }),
		order: fc.infiniteStream(fc.nat({ max: 1_000_000 })),
		drops: fc.array(fc.nat({ max: 39 }), { maxLength: 10 })
	});
	fc.assert(
		fc.property(way, ({ count, order, drops }) => {
			const dropped = new Set(drops.map((index) => (index % count) + 1));
			const numbers = Array.from({ length: count }, (_, index) => index + 1)
				.filter((number) => !dropped.has(number))
				.flatMap((number) => [number, number])
				.map((number) => ({ number, at: order.next().value ?? 0 }))
				.toSorted((a, b) => a.at - b.at)
				.map(({ number }) => number);
			let state: PushState = standing(0);
			const news: number[] = [];
			let lost = 0;
			for (const number of numbers) {
				const heard = hear(state, told([number]));
				({ state } = heard);
				news.push(...heard.news);
				lost += heard.lost;
			}
			const last = hear(state, told([], { type: 'heartbeat', eventsSinceStart: count }));
			lost += last.lost;
			expect(news.toSorted((a, b) => a - b)).toEqual(
				[...new Set(numbers)].toSorted((a, b) => a - b)
			);
			expect(last.state.lastEvent).toBe(count);
			expect(new Set(last.state.missing)).toEqual(dropped);
			// Nothing that never came goes without a poll.
			expect(lost).toBeGreaterThanOrEqual(dropped.size);
		})
	);
});

test('[Y9] a huge gap is counted in full and remembered in part', () => {
	const heard = hear(standing(0), told([1_000_000_000]));
	expect(heard.lost).toBe(999_999_999);
	expect(heard.state.missing.length).toBe(MAX_MISSING);
});

test('[Y10] silent after two missed heartbeats, not at the very moment, never without a promise', () => {
	const link = { heardAt: toInstant(1_000_000), heartbeatMs: 30_000 };
	expect(isPushSilent(link, toInstant(1_060_000))).toBe(false);
	expect(isPushSilent(link, toInstant(1_060_001))).toBe(true);
	expect(isPushSilent({ ...link, heartbeatMs: null }, toInstant(9_000_000))).toBe(false);
});
