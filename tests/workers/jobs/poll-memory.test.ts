// What a process remembers of its own polls.
import { expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import { DEADLINE_MS } from '#workers/jobs/plan-poll.ts';
import { noneMoved } from '#workers/jobs/moved-slots.ts';
import { FULL_EVERY_MS, createPollMemory, noBases, type Basis } from '#workers/jobs/poll-memory.ts';

const source = SourceId.parse(7);

const basisOf = (gen: number): Basis => ({
	gen,
	token: `a-${gen}`,
	fullAt: 0,
	window: { from: toInstant(0), to: toInstant(1) },
	moved: noneMoved
});

test('[W13] a basis counts only for the generation it was committed as', () => {
	const memory = createPollMemory(() => 0);
	const bases = { whole: basisOf(4), near: basisOf(4) };
	memory.keep(source, bases);
	expect(memory.basesOf(source, 4)).toEqual(bases);
	expect(memory.basesOf(source, 5)).toEqual(noBases);
	expect(memory.basesOf(SourceId.parse(8), 4)).toEqual(noBases);
	memory.keep(source, { ...bases, near: null });
	expect(memory.basesOf(source, 4)).toEqual({ whole: basisOf(4), near: null });
	memory.keep(source, noBases);
	expect(memory.basesOf(source, 4)).toEqual(noBases);
});

test('[W13] once an hour everything is read anew', () => {
	let now = 0;
	const memory = createPollMemory(() => now);
	memory.keep(source, { whole: basisOf(4), near: { ...basisOf(4), fullAt: 1 } });
	now = FULL_EVERY_MS - 1;
	expect(memory.basesOf(source, 4).whole).not.toBeNull();
	now = FULL_EVERY_MS;
	expect(memory.basesOf(source, 4)).toMatchObject({ whole: null, near: { gen: 4 } });
});

test('[W4] a source keeps its own deadline', () => {
	const memory = createPollMemory();
	memory.setDeadline(source, 40_000);
	expect(memory.deadlineOf(source)).toBe(40_000);
	expect(memory.deadlineOf(SourceId.parse(8))).toBe(DEADLINE_MS);
});

test('[W6] a source whose poll was overtaken is claimed for longer, up to a bound', () => {
	const memory = createPollMemory();
	expect(memory.leaseOf(source)).toBe(20_000);
	memory.lengthenLease(source);
	expect(memory.leaseOf(source)).toBe(30_000);
	for (let time = 0; time < 10; time += 1) memory.lengthenLease(source);
	expect(memory.leaseOf(source)).toBe(DEADLINE_MS + 120_000);
	memory.setDeadline(source, 60_000);
	expect(memory.leaseOf(source)).toBe(180_000);
});
