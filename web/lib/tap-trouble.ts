// What kept a tap from getting through, as long as tapping again may help: then the page and what
// was typed into it stay. Everything else gets a page of its own.

export type TapTrouble =
	| { readonly kind: 'line' | 'busy' | 'many' }
	| { readonly kind: 'fault'; readonly id: string };

/** How long a tap may stay without an answer, ms: longer than the clinic is waited for (K8). */
export const PATIENCE_MS = 30_000;

/** Kit's own words when no answer came at all; a fault of ours has an id instead. */
const NO_ANSWER = 'Internal Error';

/** U46: null = not a trouble that passes. */
export const tapTroubleOf = (status: number, message: string | undefined): TapTrouble | null => {
	if (status === 429) return { kind: 'many' };
	// 502 and 504 are the words of a proxy whose hub is being started again.
	if (status === 502 || status === 503 || status === 504) return { kind: 'busy' };
	if (status < 500) return null;
	if (message === undefined || message === NO_ANSWER) return { kind: 'line' };
	return { kind: 'fault', id: message };
};
