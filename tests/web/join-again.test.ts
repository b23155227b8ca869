import { expect, test } from 'vitest';
import { joinAgainInMs, mayJoinAgain } from '#lib/join-again.ts';

test('[U32] a join without an answer, or refused for now, is asked for again after a pause', () => {
	expect(mayJoinAgain(null)).toBe(true);
	for (const reason of ['busy_try_again', 'something_broke', 'too_many_requests'] as const) {
		expect(mayJoinAgain(reason)).toBe(true);
	}
	expect([joinAgainInMs(0), joinAgainInMs(0.5)]).toEqual([2_000, 3_000]);
});

test('[U32] what will be refused again is not asked for again', () => {
	for (const reason of ['bad_request', 'unknown_room', 'not_allowed'] as const) {
		expect(mayJoinAgain(reason)).toBe(false);
	}
});
