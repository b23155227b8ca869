// Reading by difference says exactly what reading everything says, whatever was edited.
import { expect, test } from 'vitest';
import { applyChanges, diffDelta, diffFull } from '#domain/slot-diff.ts';
import { must } from '#domain/result.ts';
import { DAY_MS, toInstant } from '#domain/time.ts';
import { readByDifference } from '#workers/connectors/difference-reading.ts';
import { readInFull } from '#workers/connectors/full-reading.ts';
import type { Ledger, ReadOptions } from '#workers/connectors/ledger.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { seededRandom, type Random } from '../../support/random.ts';
import { byKey, feedBytes, feedParts, feedReader, makeFeedSlot } from './slot-feed.ts';
import type { FeedSlot, Form } from './slot-feed.ts';

const forms: readonly Form[] = ['lines', 'bundle', 'pretty'];

/** Texts that look like the edges of records, and others that are hard to cut. */
const hostile = [
	'https://x.example/?q={"resourceType":"Slot"}',
	'https://x.example/},{"fullUrl":"',
	'https://x.example/"entry":[{"fullUrl":"',
	'https://x.example/\\"},{\\"resourceType\\":\\"',
	'https://x.example/\n\r\t"]}]}',
	'https://x.example/ñ漢字🩺\u2028',
	'https://x.example/plain'
];

const randomSlot = (random: Random, serial: number): FeedSlot =>
	makeFeedSlot({
		id: `s${random.chance(0.2) ? random.int(0, 5) : serial}`,
		schedule: random.int(0, 5),
		step: random.int(-5, 400),
		status: random.pick(['free', 'busy', 'busy-tentative', 'moonlit', 'entered-in-error']),
		link: random.pick(hostile)
	});

const edit = (random: Random, slots: readonly FeedSlot[]): FeedSlot[] => {
	const next = [...slots];
	for (let edits = random.int(0, 6); edits > 0; edits -= 1) {
		const at = random.int(0, Math.max(0, next.length - 1));
		const slot = next[at];
		switch (random.int(0, 6)) {
			case 0:
				next.splice(at, 0, randomSlot(random, 1_000 + random.int(0, 9_999)));
				break;
			case 1:
				next.splice(at, random.int(1, 3));
				break;
			case 2:
				if (slot) next[at] = { ...slot, status: random.pick(['free', 'busy']) };
				break;
			case 3:
				if (slot) next[at] = { ...slot, link: random.pick(hostile) };
				break;
			case 4:
				if (slot) next.splice(random.int(0, next.length), 0, slot);
				break;
			case 5:
				if (slot) next.splice(random.int(0, next.length - 1), 0, ...next.splice(at, 2));
				break;
			default:
				if (random.chance(0.1)) return random.shuffle(next);
		}
	}
	return next;
};

const scope = (how: ReadOptions) =>
	({ state: 'complete', window: how.window, unreadSchedules: [] }) as const;

const fullFacts = (form: Form, slots: readonly FeedSlot[], how: ReadOptions) => {
	const reading = readInFull(feedParts(form, feedBytes(form, slots)), how);
	if (reading.listing.form !== 'full') throw new Error('a full reading');
	return { reading, facts: reading.listing.facts };
};

test.each(forms)(
	'[N1] a listing by difference, applied to what is known, equals the full listing: %s',
	(form) => {
		const random = seededRandom();
		const how = feedReader(form);
		let differences = 0;
		for (let run = 0; run < 30; run += 1) {
			let slots = Array.from({ length: random.int(0, 120) }, (_, at) => randomSlot(random, at));
			// One that is not free, so that absence does not mean taken.
			slots.push(makeFeedSlot({ id: 'anchor', schedule: 4, step: 999, status: 'busy' }));
			const first = fullFacts(form, slots, how);
			let known = byKey(first.facts);
			let ledger: Ledger = first.reading.settle();
			for (let poll = 0; poll < 6; poll += 1) {
				slots = edit(random, slots);
				const bytes = feedBytes(form, slots);
				const quick = readByDifference(ledger, feedParts(form, bytes), how);
				const { reading, facts } = fullFacts(form, slots, how);
				const expected = byKey(facts);
				if (quick !== null) {
					differences += 1;
					known = applied(known, quick.listing, how);
					expect(quick.flags).toEqual(reading.flags);
					ledger = quick.settle();
				} else {
					known = applyChanges(known, diffFull(known, facts, scope(how)));
					ledger = reading.settle();
				}
				expect(known).toEqual(expected);
			}
		}
		expect(differences).toBeGreaterThan(30);
	}
);

const applied = (
	known: Map<SlotKey, SlotFact>,
	listing: ReturnType<typeof readInFull>['listing'],
	how: ReadOptions
): Map<SlotKey, SlotFact> => {
	if (listing.form === 'unchanged') return known;
	if (listing.form === 'full') throw new Error('not by difference');
	return applyChanges(known, diffDelta(known, listing, scope(how)));
};

const settled = (form: Form, slots: readonly FeedSlot[], how: ReadOptions): Ledger =>
	fullFacts(form, slots, how).reading.settle();

const feed = (count: number): FeedSlot[] =>
	Array.from({ length: count }, (_, at) =>
		makeFeedSlot({
			id: `s${at}`,
			step: at,
			schedule: at % 5,
			status: at % 4 === 0 ? 'busy' : 'free'
		})
	);

test.each(forms)('[N2] equal bytes are told as unchanged: %s', (form) => {
	const how = feedReader(form);
	const slots = feed(300);
	const quick = must(
		readByDifference(settled(form, slots, how), feedParts(form, feedBytes(form, slots)), how)
	);
	expect(quick.listing).toEqual({ form: 'unchanged' });
});

test.each(forms)('[N2] one changed record of many is the whole delta: %s', (form) => {
	const how = feedReader(form);
	const slots = feed(300);
	const ledger = settled(form, slots, how);
	const next = slots.with(150, { ...must(slots[150]), status: 'busy-tentative' });
	const quick = must(readByDifference(ledger, feedParts(form, feedBytes(form, next)), how));
	expect(quick.listing).toMatchObject({
		form: 'delta',
		changed: [{ sourceSlotId: 's150', status: 'busy-tentative' }],
		gone: [],
		total: 300
	});
});

test('[N3] a source that lists only free slots means taken when one is no longer listed', () => {
	const how = feedReader('lines');
	const slots = feed(100).map((slot) => ({ ...slot, status: 'free' }));
	const ledger = settled('lines', slots, how);
	const next = slots.filter(({ id }) => id !== 's7');
	const quick = must(readByDifference(ledger, feedParts('lines', feedBytes('lines', next)), how));
	expect(quick.listing).toMatchObject({
		changed: [{ sourceSlotId: 's7', status: 'busy', remaining: 0 }],
		gone: []
	});
});

test('[N3] when more than a quarter vanishes at once it is gone, not taken', () => {
	const how = feedReader('lines');
	const slots = feed(100).map((slot) => ({ ...slot, status: 'free' }));
	const ledger = settled('lines', slots, how);
	const bytes = feedBytes('lines', slots.slice(40));
	const quick = must(readByDifference(ledger, feedParts('lines', bytes), how));
	if (quick.listing.form !== 'delta') throw new Error('delta expected');
	expect(quick.listing.changed).toEqual([]);
	expect(quick.listing.gone).toHaveLength(40);
});

test('[N4] everything is read when a slot beyond the window comes into it', () => {
	const how = feedReader('lines', 1);
	const slots = feed(100);
	const ledger = settled('lines', slots, how);
	const parts = feedParts('lines', feedBytes('lines', slots));
	expect(readByDifference(ledger, parts, how)?.listing.form).toBe('unchanged');
	const window = { ...how.window, to: toInstant(how.window.to + DAY_MS) };
	expect(readByDifference(ledger, parts, { ...how, window })).toBeNull();
});

test('[N4] everything is read when the schedules or the notes changed', () => {
	const how = feedReader('lines');
	const slots = feed(10);
	const ledger = settled('lines', slots, how);
	const parts = feedParts('lines', feedBytes('lines', slots));
	const reader = { ...how.reader, signature: 'another' };
	expect(readByDifference(ledger, parts, { ...how, reader })).toBeNull();
});

test('[N4] everything is read when a record is broken, doubled, or no slot', () => {
	const how = feedReader('lines');
	const slots = feed(10);
	const ledger = settled('lines', slots, how);
	const good = feedBytes('lines', slots).toString();
	const twice = JSON.stringify({ resourceType: 'Location', id: 'l1' });
	for (const extra of ['{"resourceType":"Slot"', twice, good.split('\n')[3] ?? '']) {
		const parts = feedParts('lines', Buffer.from(`${good}${extra}\n`));
		expect(readByDifference(ledger, parts, how)).toBeNull();
	}
});

test('[N5] a body of one record many times over is compared in a moment', () => {
	const how = feedReader('lines');
	const same = Array.from({ length: 60_000 }, () => makeFeedSlot());
	const ledger = settled('lines', same, how);
	const next = [makeFeedSlot({ id: 'other', step: 3 }), ...same.slice(0, -100)];
	expect(readByDifference(ledger, feedParts('lines', feedBytes('lines', next)), how)).toBeNull();
});

test('[A42] a line broken anywhere leaves its schedule unread, or the answer in doubt', () => {
	const slots = [0, 1, 2].map((at) => makeFeedSlot({ id: `s${at}`, schedule: at, step: at + 1 }));
	const whole = feedBytes('lines', slots).toString();
	const how = feedReader('lines');
	const before = fullFacts('lines', slots, how).facts;
	let judged = 0;
	for (let at = 0; at < whole.length; at += 1) {
		const head = whole.slice(0, at);
		const tail = whole.slice(at);
		const broken = ['\u0000,,', '"', '\\', '}'].map((each) => head + each + tail);
		for (const text of [...broken, head + tail.slice(1)]) {
			const reading = readInFull(feedParts('lines', Buffer.from(text)), how);
			if (reading.flags.badRecords === 0 || reading.isDoubtful) continue;
			judged += 1;
			if (reading.listing.form !== 'full') throw new Error('full expected');
			const seen = byKey(reading.listing.facts);
			const lost = before.filter(
				(fact) => !seen.has(slotKeyOf(fact)) && !reading.unread.includes(fact.scheduleKey)
			);
			expect({ near: text.slice(at - 30, at + 30), lost }).toMatchObject({ lost: [] });
		}
	}
	expect(judged).toBeGreaterThan(whole.length);
});
