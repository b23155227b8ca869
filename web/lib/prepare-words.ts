// What to have ready before a visit, by how one meets.
import type { VisitKind } from '#domain/codes.ts';
import { m } from './words.ts';

const own: Readonly<Record<VisitKind, readonly (() => string)[]>> = {
	video: [m.visit_next_video_1, m.visit_next_video_2, m.visit_next_video_3],
	phone: [m.visit_next_phone_1, m.visit_next_phone_2],
	chat: [m.visit_next_chat_1, m.visit_next_chat_2]
};

/** J28: what holds for every visit, then what holds for this kind; a video visit when nobody said. */
export const prepareWords = (kind: VisitKind | null): readonly string[] =>
	[m.visit_next_quiet, m.visit_next_hand, ...own[kind ?? 'video']].map((words) => words());
