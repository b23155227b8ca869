// The answer of a source that could not be read: it says nothing about any slot.
import type { SilentAnswer, SilentReason, SpokenAnswer } from '#domain/answer.ts';
import type { Unheard } from './http-faults.ts';

/** `bytes`: read over the network by the whole poll. */
export const silentOf = (
	fault: Pick<Unheard, 'reason' | 'detail' | 'retryAfterMs'>,
	bytes: number
): SilentAnswer => ({
	state: 'silent',
	reason: fault.reason,
	detail: fault.detail,
	retryAfterMs: fault.retryAfterMs,
	bytes
});

/** Silent for a reason of our own finding. `detail` is one plain sentence, never a body. */
export const silentFor = (reason: SilentReason, detail: string, bytes: number): SilentAnswer =>
	silentOf({ reason, detail, retryAfterMs: null }, bytes);

/** An answer that came whole and is of no use, with examples of what was refused in it. */
export const silentAbout = (
	detail: string,
	{ bytes, refused }: Pick<SpokenAnswer, 'bytes' | 'refused'>
): SilentAnswer => ({ ...silentFor('not_understood', detail, bytes), refused });
