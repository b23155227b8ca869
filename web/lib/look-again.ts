// Reading a page anew without losing it. Kit draws its error page over a page that cannot be read
// anew, so the hub is asked first whether it answers: until it does, what stands there stands.
import { refreshAll } from '$app/navigation';
import { keepFocus } from './keep-focus.ts';

const PATIENCE_MS = 8_000;

const doesAnswer = async (): Promise<boolean> => {
	if (!navigator.onLine) return false;
	try {
		const signal = AbortSignal.timeout(PATIENCE_MS);
		const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store', signal });
		// A page that is gone, or not ours any more, is news and may be drawn.
		return answer.status < 500 && answer.status !== 429;
	} catch {
		return false;
	}
};

/** U49: what was in focus may be gone in the page as it is now. */
const readAnew = async (): Promise<void> => {
	const at = document.activeElement;
	if (at instanceof HTMLElement && at !== document.body) await keepFocus(at, refreshAll);
	else await refreshAll();
};

let looking: Promise<boolean> | null = null;
let isWantedAgain = false;

const look = async (): Promise<boolean> => {
	let isRead: boolean;
	do {
		isWantedAgain = false;
		isRead = await doesAnswer();
		if (isRead) await readAnew();
	} while (isRead && isWantedAgain);
	return isRead;
};

/** U47: false = the hub did not answer, and the page stays as it is. One look at a time. */
export const lookAgain = async (): Promise<boolean> => {
	isWantedAgain = true;
	looking ??= look().finally(() => {
		looking = null;
	});
	return await looking;
};
