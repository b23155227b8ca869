// What a clinic's handler sees and answers; the server around it does sockets, faults and 304.
import type { FaultCheck } from './faults.ts';

export type Ask = {
	method: string;
	url: URL;
	/** Lower-case header name to value. */
	headers: Readonly<Record<string, string | undefined>>;
	body: string;
	fault: FaultCheck;
};

export type Reply = {
	status: number;
	headers: Record<string, string>;
	/** A function is called only when the body is really sent (not for 304 and HEAD). */
	body: string | (() => string);
};

export type Handler = (ask: Ask) => Reply;

/** `<a & b>` safe inside HTML text and attributes. */
export const escapeHtml = (text: string): string =>
	text.replace(
		/[&<>"']/g,
		(character) =>
			({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character] ?? ''
	);

/** True when `header` (If-None-Match, If-Match) names `etag` or is `*`; weak comparison. */
export const namesEtag = (header: string | undefined, etag: string): boolean => {
	if (header === undefined) return false;
	const bare = (tag: string): string => tag.trim().replace(/^W\//, '');
	return header.trim() === '*' || header.split(',').some((tag) => bare(tag) === bare(etag));
};
