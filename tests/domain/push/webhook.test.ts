import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
	TOLERANCE_MS,
	isInTime,
	isMessageId,
	readSignatures,
	readTimestamp
} from '#domain/push/webhook.ts';
import { toInstant } from '#domain/time.ts';

test('[Y3] a message counts up to the very tolerance, in both directions, and not one ms beyond', () => {
	const now = toInstant(1_800_000_000_000);
	for (const sign of [-1, 1]) {
		expect(isInTime(now + sign * (TOLERANCE_MS - 1), now)).toBe(true);
		expect(isInTime(now + sign * TOLERANCE_MS, now)).toBe(true);
		expect(isInTime(now + sign * (TOLERANCE_MS + 1), now)).toBe(false);
	}
});

test('[Y3] a timestamp is whole seconds and nothing else', () => {
	expect(readTimestamp('1800000000')).toBe(1_800_000_000_000);
	for (const text of ['', '-1', '1.5', '1e9', ' 1', '0x1', '1'.repeat(13), 'Infinity']) {
		expect(readTimestamp(text)).toBeNull();
	}
});

test('[Y2] only signatures of scheme v1 are looked at, and only ten of them', () => {
	expect(readSignatures('v1,aa v1a,bb v2,cc v1,dd')).toEqual(['aa', 'dd']);
	expect(readSignatures('')).toEqual([]);
	fc.assert(
		fc.property(fc.string(), (text) => {
			expect(readSignatures(`${text} ${'v1,x '.repeat(40)}`).length).toBeLessThanOrEqual(10);
		})
	);
});

test('[Y2] an id is short and printable', () => {
	expect(isMessageId('msg_2KWPBgLlAfxdpx2AI54pPJ85f4W')).toBe(true);
	for (const id of ['', ' ', 'a b', 'a\n', 'é', 'x'.repeat(257)])
		expect(isMessageId(id)).toBe(false);
});
