// What a process remembers of its own polls.
import { expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { DEADLINE_MS } from '#workers/jobs/plan-poll.ts';
import { FULL_EVERY_MS, createPollMemory } from '#workers/jobs/poll-memory.ts';

const source = SourceId.parse(7);

test('[W13] the basis counts only for the generation it was committed as', () => {
	const memory = createPollMemory(() => 0);
	const basis = { gen: 4, token: 'a-4', fullAt: 0 };
	memory.keep(source, basis);
	expect(memory.basisOf(source, 4)).toBe(basis);
	expect(memory.basisOf(source, 5)).toBeNull();
	expect(memory.basisOf(SourceId.parse(8), 4)).toBeNull();
	memory.keep(source, null);
	expect(memory.basisOf(source, 4)).toBeNull();
});

test('[W13] once an hour everything is read anew', () => {
	let now = 0;
	const memory = createPollMemory(() => now);
	memory.keep(source, { gen: 4, token: 'a-4', fullAt: 0 });
	now = FULL_EVERY_MS - 1;
	expect(memory.basisOf(source, 4)).not.toBeNull();
	now = FULL_EVERY_MS;
	expect(memory.basisOf(source, 4)).toBeNull();
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
