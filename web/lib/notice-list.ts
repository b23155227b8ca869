// The notices a page shows. Messages to a device are hints: one may come twice.
import type { AlertNotice } from '#domain/alert.ts';

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
