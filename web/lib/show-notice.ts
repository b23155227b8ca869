// A notice of the operating system while a page is open; only after the visitor said yes by a tap.
import type { AlertNotice } from '#domain/alert.ts';
import { noticeWords } from './notice-words.ts';
import { m } from './words.ts';

export type NoticePermission = NotificationPermission | 'missing';

export const noticePermission = (): NoticePermission =>
	typeof Notification === 'undefined' ? 'missing' : Notification.permission;

export const showNotice = (notice: AlertNotice): void => {
	if (noticePermission() !== 'granted') return;
	try {
		// The tag makes a repeat of the same episode replace the first instead of adding to it.
		const shown = new Notification(m.notice_title(), {
			body: noticeWords(notice),
			tag: `${notice.subscriptionId}/${notice.episodeId}/${notice.kind}`
		});
		shown.addEventListener('click', () => focus());
	} catch {
		// Some phones show notices only through a service worker; the page itself shows it anyway.
	}
};
