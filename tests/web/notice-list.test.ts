import { expect, test } from 'vitest';
import type { AlertNotice, EpisodeKind } from '#domain/alert.ts';
import { addNotice } from '#lib/notice-list.ts';

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
