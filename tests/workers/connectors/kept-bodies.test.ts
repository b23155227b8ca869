// What is kept between polls, and the table of counts.
import { expect, test } from 'vitest';
import { createCountTable } from '#workers/connectors/count-table.ts';
import { createKept } from '#workers/connectors/kept-bodies.ts';
import { seededRandom } from '../../support/random.ts';

const keptOf = (maxBytes = 100) => createKept<string>(maxBytes, (text) => text.length);
type TestKept = ReturnType<typeof keptOf>;

const commit = (kept: TestKept, source: string, token: string, text: string) => {
	kept.propose(source, { token, basis: null, make: () => text });
	kept.settle(source, token, true);
};

test('[N6] what was kept is found under the token of its poll and no other', () => {
	const kept = keptOf();
	commit(kept, 'a', 't1', 'one');
	expect(kept.find('a', 't1')).toBe('one');
	expect(kept.find('a', 't2')).toBeNull();
	expect(kept.find('a', null)).toBeNull();
	expect(kept.find('b', 't1')).toBeNull();
});

test('[N6] a poll that was not committed leaves what was kept as it was, and makes nothing', () => {
	const kept = keptOf();
	commit(kept, 'a', 't1', 'one');
	kept.propose('a', {
		token: 't2',
		basis: 't1',
		make: () => {
			throw new Error('made for nothing');
		}
	});
	kept.settle('a', 't2', false);
	expect(kept.find('a', 't1')).toBe('one');
});

test('[N6] a committed poll of which nothing is kept ends what was kept', () => {
	const kept = keptOf();
	commit(kept, 'a', 't1', 'one');
	kept.settle('a', 't2', true);
	expect(kept.find('a', 't1')).toBeNull();
	expect(kept.bytes()).toBe(0);
});

test('[N6] a difference to a poll that is no longer the last is not built upon', () => {
	const kept = keptOf();
	commit(kept, 'a', 't1', 'one');
	commit(kept, 'a', 't2', 'two');
	kept.propose('a', { token: 't3', basis: 't1', make: () => 'three' });
	kept.settle('a', 't3', true);
	expect(kept.find('a', 't3')).toBeNull();
});

test('[N6] the source unused for longest is forgotten first, what is too large is not kept', () => {
	const kept = keptOf(10);
	commit(kept, 'a', 't', 'aaaa');
	commit(kept, 'b', 't', 'bbbb');
	expect(kept.find('a', 't')).toBe('aaaa');
	commit(kept, 'c', 't', 'cccc');
	expect([kept.find('a', 't'), kept.find('b', 't'), kept.find('c', 't')]).toEqual([
		'aaaa',
		null,
		'cccc'
	]);
	commit(kept, 'd', 't', 'd'.repeat(11));
	expect(kept.find('d', 't')).toBeNull();
	expect(kept.bytes()).toBe(8);
});

test('[N7] a count table answers as a map of counts', () => {
	const random = seededRandom();
	const table = createCountTable(4);
	const map = new Map<string, number>();
	for (let turn = 0; turn < 20_000; turn += 1) {
		const text = `key ${random.int(0, 3_000)}`;
		const was = map.get(text) ?? 0;
		if (random.chance(0.6)) {
			map.set(text, was + 1);
			expect(table.add(text)).toBe(was + 1);
		} else {
			if (was === 1) map.delete(text);
			else if (was > 1) map.set(text, was - 1);
			table.drop(text);
		}
	}
	expect(table.distinct()).toBe(map.size);
	for (let at = 0; at <= 3_000; at += 1) {
		expect(table.count(`key ${at}`)).toBe(map.get(`key ${at}`) ?? 0);
	}
});
