import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
	isSlotStatus,
	mergeDuplicate,
	sameFact,
	slotKeyOf,
	slotStateOf,
	slotStates,
	slotStatuses,
	type SlotFact
} from '#domain/slot.ts';
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import { makeFact, slotFact, windowFrom } from './facts.ts';

describe('identity', () => {
	test('[D1] is schedule, start, end and service', () => {
		const base = makeFact();
		const others: Partial<SlotFact>[] = [
			{ scheduleKey: 'b' },
			{ startsAt: toInstant(windowFrom + 1_000), endsAt: toInstant(windowFrom + 901_000) },
			{ endsAt: toInstant(windowFrom + 30 * MINUTE_MS) },
			{ service: 'new patient' }
		];
		const keys = [base, ...others.map((over) => makeFact(over))].map(slotKeyOf);
		expect(new Set(keys).size).toBe(keys.length);
		expect(slotKeyOf(base)).toBe('a|1800000000|900|');
	});

	test('[D1] is not the id, the status or anything else', () => {
		fc.assert(
			fc.property(slotFact, slotFact, (a, b) => {
				const { scheduleKey, startsAt, endsAt, service } = a;
				expect(slotKeyOf({ ...b, scheduleKey, startsAt, endsAt, service })).toBe(slotKeyOf(a));
			})
		);
	});
});

describe('equality', () => {
	test('[D2] sees every field that a person or a booking could notice', () => {
		const changed: Partial<SlotFact>[] = [
			{ status: 'busy' },
			{ remaining: 0 },
			{ capacity: 2 },
			{ version: '2' },
			{ sourceSlotId: '2' },
			{ bookUrl: 'https://c.example' },
			{ bookPhone: '1' },
			{ kinds: [] },
			{ kinds: ['video'] }
		];
		for (const over of changed) expect(sameFact(makeFact(), makeFact(over))).toBe(false);
		expect(sameFact(makeFact({ kinds: ['video'] }), makeFact({ kinds: ['phone'] }))).toBe(false);
	});

	test('[D2] is an equivalence', () => {
		fc.assert(
			fc.property(slotFact, slotFact, (a, b) => {
				expect(sameFact(a, structuredClone(a))).toBe(true);
				expect(sameFact(a, b)).toBe(sameFact(b, a));
			})
		);
	});
});

describe('duplicates', () => {
	test('[D3] the less available one counts', () => {
		const free = makeFact();
		const busy = makeFact({ status: 'busy', remaining: 0 });
		expect(mergeDuplicate(free, busy)).toBe(busy);
		expect(mergeDuplicate(busy, free)).toBe(busy);
	});

	test('[D3] in every order and grouping', () => {
		const sameKey = slotFact.map(({ startsAt: _s, endsAt: _e, ...rest }) =>
			makeFact({ ...rest, scheduleKey: 'a', service: '' })
		);
		fc.assert(
			fc.property(fc.array(sameKey, { minLength: 2, maxLength: 6 }), fc.nat(), (facts, turn) => {
				const merged = facts.reduce(mergeDuplicate);
				const cut = turn % facts.length;
				const turned = [...facts.slice(cut), ...facts.slice(0, cut)].toReversed();
				expect(turned.reduceRight((right, left) => mergeDuplicate(left, right))).toEqual(merged);
				expect(merged.remaining).toBe(Math.min(...facts.map((fact) => fact.remaining)));
			})
		);
	});
});

describe('state', () => {
	test('[D4] is open only when the source says free and a place is left', () => {
		fc.assert(
			fc.property(
				fc.constantFrom(...slotStatuses),
				fc.nat(5),
				fc.nat(5),
				(status, places, claims) => {
					const isOpen = slotStateOf(status, places, claims) === slotStates.open;
					expect(isOpen).toBe(status === 'free' && places > claims);
				}
			)
		);
	});

	test.each([
		['free', 1, 0, slotStates.open],
		['free', 1, 1, slotStates.held],
		['free', 2, 3, slotStates.held],
		['free', 0, 0, slotStates.taken],
		['busy', 1, 0, slotStates.taken],
		['busy-unavailable', 1, 0, slotStates.taken],
		['busy-tentative', 1, 0, slotStates.held],
		['entered-in-error', 1, 0, slotStates.gone]
	] as const)('[D4] %s with %i places and %i claims: %i', (status, places, claims, state) => {
		expect(slotStateOf(status, places, claims)).toBe(state);
	});

	test('[D4] no other word is a status', () => {
		for (const word of ['Free', 'FREE', 'available', '', null, 1, undefined, 'toString']) {
			expect(isSlotStatus(word)).toBe(false);
		}
		expect(slotStatuses.every(isSlotStatus)).toBe(true);
	});
});
