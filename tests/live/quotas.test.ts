import { expect, test } from 'vitest';
import {
	createAddressCounts,
	createMessageQuota,
	createTokenBucket,
	MESSAGES_PER_MINUTE,
	REFUSED_BEFORE_CUT,
	takeMessage,
	takeToken
} from '#server/live/quotas.ts';

test('[V12] 100 messages at once pass, the next are refused, and who goes on is cut', () => {
	const quota = createMessageQuota(0);
	const verdicts = Array.from({ length: 300 }, (_, i) => takeMessage(quota, i));
	expect(verdicts.slice(0, MESSAGES_PER_MINUTE).every((v) => v === 'allowed')).toBe(true);
	expect(verdicts[MESSAGES_PER_MINUTE]).toBe('refused');
	expect(verdicts.indexOf('cut')).toBe(MESSAGES_PER_MINUTE + REFUSED_BEFORE_CUT);
});

test('[V12] one message a second is always allowed', () => {
	const quota = createMessageQuota(0);
	for (let s = 0; s < 600; s += 1) expect(takeMessage(quota, s * 1_000)).toBe('allowed');
});

test('[V12] a minute of good conduct forgives refusals', () => {
	const quota = createMessageQuota(0);
	for (let i = 0; i < 180; i += 1) takeMessage(quota, 0);
	for (let minute = 1; minute < 20; minute += 1) {
		const at = minute * 120_000;
		const verdicts = Array.from({ length: 150 }, () => takeMessage(quota, at));
		expect(verdicts).not.toContain('cut');
	}
});

test('[V12] a clock that stands still earns nothing', () => {
	const bucket = createTokenBucket(2, 5);
	expect([5, 5, 5, 4].map((at) => takeToken(bucket, at))).toEqual([true, true, false, false]);
	expect(takeToken(bucket, 30_005)).toBe(true);
});

test('[V13] an address is full at its limit, and forgotten when it has none', () => {
	const counts = createAddressCounts(2);
	counts.enter('a');
	counts.enter('a');
	expect([counts.isFull('a'), counts.isFull('b')]).toEqual([true, false]);
	counts.leave('a');
	expect(counts.isFull('a')).toBe(false);
	counts.leave('a');
	expect(counts.size()).toBe(0);
});
