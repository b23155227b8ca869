// The notices a page shows. Messages to a device are hints: one may come twice.
import type { AlertNotice } from '#domain/alert.ts';
import type { Instant } from '#domain/time.ts';

const MAX_NOTICES = 5;

/** Also the key of the list on the page, where no two may be alike. */
export const noticeKey = ({ episodeId, kind }: AlertNotice): string => `${episodeId} ${kind}`;

/** U33: null = it is shown already. */
export const addNotice = (
	shown: readonly AlertNotice[],
	notice: AlertNotice
): readonly AlertNotice[] | null =>
	shown.some((one) => noticeKey(one) === noticeKey(notice))
		? null
		: [notice, ...shown].slice(0, MAX_NOTICES);

/** U35: of those the hub lists, what this page was not told since then; the oldest first. */
export const missedNotices = (
	told: readonly string[],
	listed: readonly AlertNotice[],
	since: Instant
): readonly AlertNotice[] =>
	listed
		.filter((notice) => notice.raisedAt >= since && !told.includes(noticeKey(notice)))
		.toSorted((a, b) => a.raisedAt - b.raisedAt);

/** This device's latest notices. Throws when the hub cannot say. */
export const readNotices = async (): Promise<readonly AlertNotice[]> => {
	const reply = await fetch('/api/v1/alerts');
	if (!reply.ok) throw new Error('no notices');
	const { notices }: { readonly notices: readonly AlertNotice[] } = await reply.json();
	return notices;
};
