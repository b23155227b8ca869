// Which times of a schedule nobody is shown: closed by its clinic, or shown by a twin. Pure.
import type { Instant } from './time.ts';

/** Starts that are hidden, [from, to) in ms since 1970; ±Infinity = without end. */
export type HiddenSpan = { readonly from: number; readonly to: number };

export const isHiddenAt = (span: HiddenSpan | null, startsAt: Instant): boolean =>
	span !== null && startsAt >= span.from && startsAt < span.to;
