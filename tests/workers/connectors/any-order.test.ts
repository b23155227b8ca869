import { expect, test } from 'vitest';
import { compareAnyOrder } from '#workers/connectors/any-order.ts';
import {
	lineMark,
	piecesOf,
	textOf,
	type Body,
	type Mark,
	type Piece
} from '#workers/connectors/pieces.ts';
import { randomFrom } from '../../support/random.ts';

const bundleMark: Mark = {
	pattern: Buffer.from('},{"fullUrl"'),
	endAt: 1,
	startAt: 2,
	joint: Buffer.from(',')
};
const bodyOf = (texts: readonly string[], mark: Mark): Body => ({
	bytes: Buffer.from(texts.join(mark.joint.toString())),
	mark
});
const textsOf = (pieces: readonly Piece[]): string[] => pieces.map(textOf).toSorted();

/** What only one of two lists holds, counted by hand. */
const surplus = (one: readonly string[], two: readonly string[]): string[] => {
	const left = [...one];
	for (const text of two) {
		const at = left.indexOf(text);
		if (at >= 0) left.splice(at, 1);
	}
	return left.toSorted();
};

const compare = (one: readonly string[], two: readonly string[], mark: Mark) => {
	const into: { removed: Piece[]; added: Piece[] } = { removed: [], added: [] };
	compareAnyOrder({ body: bodyOf(one, mark), from: 0 }, { body: bodyOf(two, mark), from: 0 }, into);
	return { removed: textsOf(into.removed), added: textsOf(into.added) };
};

/** Bytes that are searched at a time. */
const STRETCH = 65_536;
const recordOf = (mark: Mark, n: number, length: number): string =>
	mark === lineMark ? `${n}`.padEnd(length, 'x') : `{"fullUrl":"${`${n}`.padEnd(length, 'x')}"}`;

test.each([
	['lines', lineMark],
	['a Bundle', bundleMark]
])('[D9] %s: a mark is found wherever the edge of a stretch falls', (_, mark) => {
	for (let short = 0; short <= 40; short += 1) {
		const before = [STRETCH - short, 30, 2 * STRETCH - short, 7, 5].map((length, n) =>
			recordOf(mark, n, length)
		);
		const after = [...before.slice(1).toReversed(), recordOf(mark, 9, 20)];
		expect(piecesOf(bodyOf(before, mark))).toHaveLength(before.length);
		expect(compare(before, after, mark)).toEqual({
			removed: [before[0]],
			added: [recordOf(mark, 9, 20)]
		});
	}
});

test.each([
	['lines', lineMark],
	['a Bundle', bundleMark]
])('[D9] %s: shuffled, repeated and changed records are counted one by one', (_, mark) => {
	const random = randomFrom(29);
	for (let round = 0; round < 40; round += 1) {
		const make = (): string => recordOf(mark, random.int(0, 40), random.int(3, 3_000));
		const before = Array.from({ length: random.int(1, 60) }, make);
		const kept = before
			.filter(() => random.chance(0.8))
			.flatMap((text) => (random.chance(0.1) ? [text, text] : [text]));
		const after = [...random.shuffle(kept), make()];
		expect(compare(before, after, mark)).toEqual({
			removed: surplus(before, after),
			added: surplus(after, before)
		});
	}
});

test('[D10] a record that differs in one byte, at any place and of any length, is another one', () => {
	for (let length = 1; length <= 70; length += 1) {
		const text = 'a'.repeat(length);
		for (let at = 0; at < length; at += 1) {
			const other = `${text.slice(0, at)}b${text.slice(at + 1)}`;
			expect(compare([text], [other], lineMark)).toEqual({ removed: [text], added: [other] });
		}
	}
});

test('[D10] fifty thousand records that differ in two digits are told apart', () => {
	const texts = Array.from({ length: 50_000 }, (_, n) => {
		const [high, low] = [Math.floor(n / 250), n % 250].map((digit) =>
			String(digit).padStart(3, '0')
		);
		return `{"from":"${high}"${' '.repeat(30)},"to":"${low}"}`;
	});
	expect(compare(texts, [], lineMark).removed).toHaveLength(50_000);
	expect(compare(texts, texts.toReversed(), lineMark)).toEqual({ removed: [], added: [] });
	const half = texts.filter((_, n) => n % 2 === 0);
	expect(compare(half, texts.slice(0, 3), lineMark).added).toEqual([texts[1]]);
});
