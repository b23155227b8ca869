// What can go wrong on the way to a source, in one vocabulary: a SilentReason and a plain sentence.
import { errors } from 'undici';
import type { SilentReason } from '#domain/answer.ts';
import { AddressRefused } from './address-guard.ts';
import { retryAfterOf, type HeaderBag } from './http-headers.ts';
import { BodyTooLarge, EncodingUnknown } from './read-body.ts';

export type Heard = {
	readonly ok: true;
	readonly status: number;
	readonly headers: HeaderBag;
	readonly body: Buffer;
	readonly bytes: number;
};

export type Unheard = {
	readonly ok: false;
	readonly reason: SilentReason;
	/** One plain sentence, without anything the source sent. */
	readonly detail: string;
	readonly retryAfterMs: number | null;
	readonly bytes: number;
	/** HTTP status when there was one. */
	readonly status: number | null;
	/** False only when it is certain that the source never saw the request. */
	readonly maybeSent: boolean;
};

export const unheard = (
	reason: SilentReason,
	detail: string,
	more: Partial<Pick<Unheard, 'retryAfterMs' | 'bytes' | 'status' | 'maybeSent'>> = {}
): Unheard => ({
	ok: false,
	reason,
	detail,
	retryAfterMs: more.retryAfterMs ?? null,
	bytes: more.bytes ?? 0,
	status: more.status ?? null,
	maybeSent: more.maybeSent ?? true
});

const neverConnected = new Set([
	'ECONNREFUSED',
	'ENOTFOUND',
	'EAI_AGAIN',
	'EHOSTUNREACH',
	'ENETUNREACH',
	'UND_ERR_CONNECT_TIMEOUT',
	'ADDRESS_REFUSED'
]);

const codeOf = (error: unknown): string => {
	const code = error instanceof Error && 'code' in error ? error.code : '';
	return typeof code === 'string' ? code : '';
};

/** Maps a thrown fault to a reason. Never repeats its message: it may hold parts of a body. */
export const explainFault = (error: unknown, bytes: number, wasOverdue: boolean): Unheard => {
	const code = codeOf(error);
	const more = { bytes, maybeSent: !neverConnected.has(code) };
	if (error instanceof AddressRefused) {
		return unheard('refused_address', 'The address leads to a place no source may reach.', more);
	}
	if (error instanceof BodyTooLarge || error instanceof errors.ResponseExceededMaxSizeError) {
		return unheard('too_large', 'The answer is larger than allowed.', more);
	}
	if (error instanceof errors.HeadersOverflowError) {
		return unheard('too_large', 'The headers of the answer are larger than allowed.', more);
	}
	if (error instanceof EncodingUnknown || /^Z_|^ERR__ERROR_FORMAT|^ERR_PADDING/.test(code)) {
		return unheard('not_understood', 'The compression of the answer could not be read.', more);
	}
	if (wasOverdue || /TIMEOUT|ETIMEDOUT/.test(code)) {
		return unheard('timeout', 'The source did not answer in time.', more);
	}
	if (code.startsWith('HPE_')) {
		return unheard('not_understood', 'The answer was not proper HTTP.', more);
	}
	if (/CERT|TLS|SSL/.test(code)) {
		return unheard('unreachable', 'The certificate of the source could not be trusted.', more);
	}
	return unheard('unreachable', 'The connection to the source failed or broke off.', more);
};

/** Maps a status that is no success to a reason. */
export const explainStatus = (heard: Heard): Unheard => {
	const { status } = heard;
	const more = {
		bytes: heard.bytes,
		status,
		retryAfterMs: retryAfterOf(heard.headers, Date.now())
	};
	if (status === 429) return unheard('throttled', 'The source asks us to slow down.', more);
	if (status === 401 || status === 403) {
		return unheard('unauthorized', `The source refuses us (${status}).`, more);
	}
	if (status >= 300 && status < 400) {
		return unheard(
			'refused_address',
			`The source redirects (${status}); that is not followed.`,
			more
		);
	}
	if ([400, 404, 405, 410, 414, 415].includes(status)) {
		return unheard('misconfigured', `The source does not know this address (${status}).`, more);
	}
	return unheard('http_error', `The source answered with an error (${status}).`, more);
};
