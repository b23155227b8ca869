// Visit kinds as words, and lists of words.
import { unreachable } from '#domain/result.ts';
import type { VisitKind } from '#domain/codes.ts';
import { m } from './words.ts';

/** All of them, without the code lists behind them: browsers import this file. */
export const allKinds: readonly VisitKind[] = ['video', 'phone', 'chat'];

/** In the order in which they are named everywhere. */
export const inOrder = (kinds: readonly VisitKind[]): readonly VisitKind[] =>
	allKinds.filter((kind) => kinds.includes(kind));

export const kindWord = (kind: VisitKind): string => {
	switch (kind) {
		case 'video':
			return m.kind_video();
		case 'phone':
			return m.kind_phone();
		case 'chat':
			return m.kind_chat();
		default:
			return unreachable(kind);
	}
};

const hints: Record<VisitKind, () => string> = {
	video: m.kind_video_hint,
	phone: m.kind_phone_hint,
	chat: m.kind_chat_hint
};
/** What it takes on the patient's side. */
export const kindHint = (kind: VisitKind): string => hints[kind]();

/** `video or phone`, `video, phone or chat`. */
export const orWords = (words: readonly string[]): string => {
	const last = words.at(-1) ?? '';
	if (words.length < 2) return last;
	const first = words.slice(0, -1).reduce((a, b) => m.list_comma({ first: a, second: b }));
	return m.list_or({ first, second: last });
};

export const kindsWords = (kinds: readonly VisitKind[]): string =>
	kinds.length === 0 ? m.kind_any() : orWords(inOrder(kinds).map(kindWord));

const languageNames = new Intl.DisplayNames(['en'], { type: 'language' });
export const languageWord = (tag: string): string => languageNames.of(tag) ?? tag;
