import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDeviceMessage } from '#server/feed/device-messages.ts';
import {
	MAX_MESSAGE_CHARS,
	parseFeedMessage,
	TARGET_MESSAGE_CHARS,
	writeFeedMessages
} from '#server/feed/message.ts';
import type { RoomEntry } from '#domain/protocol.ts';

const change = fc.oneof(
	fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2, 3)),
	fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.constantFrom(0, 1, 2, 3), fc.nat()),
	fc.record({ kind: fc.constant('hold'), slotId: fc.nat(), held: fc.boolean() })
);
const entries = fc.array(
	fc.record({
		room: fc.string({ maxLength: 80 }),
		seq: fc.integer({ min: 1 }),
		changes: fc.array(change, { maxLength: 20 })
	}),
	{ minLength: 1, maxLength: 20 }
) as unknown as fc.Arbitrary<RoomEntry[]>;

describe('feed messages', () => {
	test('[F9] are read back as they were written', () => {
		fc.assert(
			fc.property(entries, fc.nat(), (told, at) => {
				const messages = writeFeedMessages('epoch', at, told).map(parseFeedMessage);
				expect(messages.flatMap((message) => message?.entries)).toEqual(told);
				expect(messages.every((m) => m?.epoch === 'epoch' && m.at === at)).toBe(true);
			})
		);
	});

	test('[F9] are split before they grow long', () => {
		const large = Array.from({ length: 40 }, (_, index) => ({
			room: 'a:us',
			seq: index + 1,
			changes: Array.from({ length: 500 }, (_, n) => [n + 1_000_000, 3] as never)
		}));
		const texts = writeFeedMessages('epoch', 1, large);
		expect(texts.length).toBeGreaterThan(3);
		for (const text of texts) expect(text.length).toBeLessThan(TARGET_MESSAGE_CHARS * 1.2);
		expect(texts.flatMap((text) => parseFeedMessage(text)?.entries)).toEqual(large);
		expect(writeFeedMessages('epoch', 1, [])).toEqual([]);
	});

	test('[F9] anything else is refused, and nothing is thrown', () => {
		const good = { room: 'a:us', seq: 1, changes: [[1, 3]] };
		const wrap = (over: object) => JSON.stringify({ epoch: 'e', at: 1, entries: [good], ...over });
		expect(parseFeedMessage(wrap({}))).not.toBeNull();
		for (const bad of [
			'',
			'{',
			'null',
			'[]',
			wrap({ epoch: 7 }),
			wrap({ epoch: 'e'.repeat(61) }),
			wrap({ entries: [{ ...good, seq: 0 }] }),
			wrap({ entries: [{ ...good, seq: 1.5 }] }),
			wrap({ entries: [{ ...good, room: 'r'.repeat(81) }] }),
			wrap({ entries: [{ ...good, changes: [[1, 4]] }] }),
			wrap({ entries: [{ ...good, changes: [[1, 3, 3]] }] }),
			wrap({ entries: [{ ...good, changes: Array.from({ length: 501 }, () => [1, 3]) }] }),
			wrap({ filler: 'x'.repeat(MAX_MESSAGE_CHARS) })
		]) {
			expect(parseFeedMessage(bad)).toBeNull();
			expect(parseDeviceMessage(bad)).toBeNull();
		}
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
				expect([parseFeedMessage(text), parseDeviceMessage(text)]).toEqual([null, null]);
			})
		);
	});
});
