// Results: what can be expected is returned as a refusal, what cannot is thrown.

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Refused<R extends string> = {
	readonly ok: false;
	readonly reason: R;
	/** Facts a caller may need to act on the refusal (never an exception's text). */
	readonly details?: Readonly<Record<string, unknown>>;
};
export type Result<T, R extends string> = Ok<T> | Refused<R>;

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });

export const refuse = <const R extends string>(
	reason: R,
	details?: Readonly<Record<string, unknown>>
): Refused<R> => (details === undefined ? { ok: false, reason } : { ok: false, reason, details });

/** Returns the value, or throws when it is missing: a programmer's error, not a user's. */
export const must = <T>(value: T | null | undefined, what = 'value'): T => {
	if (value === null || value === undefined) throw new Error(`missing ${what}`);
	return value;
};

/** Closes a union: the compiler refuses a case that nobody handles. */
export const unreachable = (value: never): never => {
	throw new Error(`unreachable case: ${String(value)}`);
};
