// Where the keyboard is after a form was answered. Kit sends the focus to the top of the page after
// every success, and a button that did its work is often gone: both would lose the place.
import { tick } from 'svelte';

type Answered = { readonly update: () => Promise<void> };
type Sent = { readonly formElement: HTMLElement; readonly submitter: HTMLElement | null };

/** The heading of the part that `one` stands in; of the whole page when it has none. */
const headingOf = (one: Element | null): HTMLElement | null =>
	one?.closest('section')?.querySelector<HTMLElement>('h2') ??
	document.querySelector<HTMLElement>('h1');

/** Came the last press from a key? Then the eyes follow the focus, and nothing waits for a pointer. */
export const isByKey = (one: Element | null): boolean => one?.matches(':focus-visible') === true;

const isNowhere = (): boolean =>
	document.activeElement === null || document.activeElement === document.body;

/** U49: runs `change`; if the focus is lost by it, it goes to where it was, else to its heading. */
export const keepFocus = async (
	from: HTMLElement | null,
	change: () => Promise<void> | void
): Promise<void> => {
	const wasByKey = isByKey(from);
	const heading = headingOf(from);
	const { pathname } = location;
	await change();
	await tick();
	if (!isNowhere() || location.pathname !== pathname) return;
	const target = [from, heading, headingOf(null)].find((one) => one?.isConnected === true);
	// U22: a list that has the focus stands still; who came by a finger is not kept from new times.
	if (!target || (!wasByKey && target.closest('.times') !== null)) return;
	if (target.tabIndex < 0) target.tabIndex = -1;
	target.focus({ preventScroll: !wasByKey });
};

/** For `use:enhance`. */
export const keepingFocus =
	({ formElement, submitter }: Sent) =>
	({ update }: Answered): Promise<void> =>
		keepFocus(submitter ?? formElement, update);
