import { expect, test } from 'vitest';
import type { AlertNotice, EpisodeKind } from '#domain/alert.ts';
import { toInstant } from '#domain/time.ts';
import { addNotice, missedNotices, noticeKey } from '#lib/notice-list.ts';

const notice = (episodeId: number, kind: EpisodeKind = 'opened'): AlertNotice =>
	({ episodeId, kind }) as AlertNotice;

test('[U33] a notice that arrives twice is shown once', () => {
	expect(addNotice([notice(1)], notice(1))).toBeNull();
	expect(addNotice([notice(1)], notice(1, 'filling_up'))).toHaveLength(2);
});

test('[U33] the newest stands first and five are enough', () => {
	let shown: readonly AlertNotice[] = [];
	for (let id = 1; id <= 7; id += 1) shown = addNotice(shown, notice(id)) ?? shown;
	expect(shown.map(({ episodeId }) => episodeId)).toEqual([7, 6, 5, 4, 3]);
});

const raised = (episodeId: number, at: number): AlertNotice => ({
	...notice(episodeId),
	raisedAt: toInstant(at)
});

test('[U35] what was raised while the line was down is told once, the oldest first', () => {
	const since = toInstant(1_000);
	const listed = [raised(4, 3_000), raised(3, 2_000), raised(2, 1_000), raised(1, 999)];
	const missed = missedNotices([noticeKey(raised(3, 2_000))], listed, since);
	expect(missed.map(({ episodeId }) => episodeId)).toEqual([2, 4]);
	const told = missed.map(noticeKey);
	expect(missedNotices([...told, noticeKey(raised(3, 2_000))], listed, since)).toEqual([]);
});
