// What a process remembers of its own polls.
import { expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import { noFingerprints } from '#server/store/fingerprints.ts';
import type { PollClaim } from '#server/store/sources.ts';
import { DEADLINE_MS } from '#workers/jobs/plan-poll.ts';
import { noneMoved } from '#workers/jobs/moved-slots.ts';
import { FULL_EVERY_MS, createPollMemory, noBases, type Basis } from '#workers/jobs/poll-memory.ts';
import { makeSource } from '../fakes.ts';

const source = SourceId.parse(7);

const at = (ms: number) => toInstant(1_800_000_000_000 + ms);

const basisOf = (gen: number, over: Partial<Basis> = {}): Basis => ({
	gen,
	token: `a-${gen}`,
	printed: null,
	fullAt: at(0),
	window: { from: at(0), to: at(1) },
	moved: noneMoved,
	...over
});

const claimOf = (committedGen: number, over: Partial<PollClaim> = {}): PollClaim => ({
	sourceId: source,
	source: makeSource(),
	gen: committedGen + 1,
	committedGen,
	cursor: {},
	suspect: null,
	pollStartedAt: at(0),
	failures: 0,
	isPushed: false,
	near: null,
	fingerprints: noFingerprints,
	...over
});

test('[W13] a basis counts only for the generation it was committed as', () => {
	const memory = createPollMemory();
	const bases = { whole: basisOf(4), near: basisOf(4) };
	memory.keep(source, bases);
	expect(memory.basesOf(claimOf(4))).toEqual(bases);
	expect(memory.basesOf(claimOf(5))).toEqual(noBases);
	expect(memory.basesOf(claimOf(4, { sourceId: SourceId.parse(8) }))).toEqual(noBases);
	memory.keep(source, { ...bases, near: null });
	expect(memory.basesOf(claimOf(4))).toEqual({ whole: basisOf(4), near: null });
	memory.keep(source, noBases);
	expect(memory.basesOf(claimOf(4))).toEqual(noBases);
});

test('[W43] a basis counts as long as the store keeps the fingerprint of the same answer', () => {
	const memory = createPollMemory();
	const bases = { whole: basisOf(4, { printed: 'a-4' }), near: basisOf(4, { printed: null }) };
	memory.keep(source, bases);
	const kept = { token: 'a-4', fullAt: at(0), made: {} };
	const later = claimOf(6, { fingerprints: { whole: kept, near: kept } });
	expect(memory.basesOf(later)).toEqual({ whole: bases.whole, near: null });
	const other = { ...kept, token: 'a-5' };
	expect(memory.basesOf(claimOf(6, { fingerprints: { whole: other, near: other } }))).toEqual(
		noBases
	);
	expect(memory.basesOf(claimOf(6))).toEqual(noBases);
});

test('[W13] once an hour everything is read anew', () => {
	const memory = createPollMemory();
	memory.keep(source, { whole: basisOf(4), near: basisOf(4, { fullAt: at(1) }) });
	const bases = (ms: number) => memory.basesOf(claimOf(4, { pollStartedAt: at(ms) }));
	expect(bases(FULL_EVERY_MS - 1).whole).not.toBeNull();
	expect(bases(FULL_EVERY_MS)).toMatchObject({ whole: null, near: { gen: 4 } });
});

test('[W45] what could not be read is doubted until something is kept again', () => {
	const memory = createPollMemory();
	memory.keep(source, { whole: basisOf(4), near: null });
	expect(memory.isDoubted(source)).toBe(false);
	memory.doubt(source);
	expect([memory.isDoubted(source), memory.basesOf(claimOf(4))]).toEqual([true, noBases]);
	memory.keep(source, noBases);
	expect(memory.isDoubted(source)).toBe(false);
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
