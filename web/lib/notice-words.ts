// An alert in one sentence. No patient data: it may stand on a lock screen.
import type { AlertNotice } from '#domain/alert.ts';
import { unreachable } from '#domain/result.ts';
import { m } from './words.ts';

export const noticeWords = ({ kind, practitionerName: name, left, of }: AlertNotice): string => {
	switch (kind) {
		case 'opened':
			return m.notice_opened({ name, left });
		case 'filling_up':
			return m.notice_filling_up({ name, left, of });
		default:
			return unreachable(kind);
	}
};
