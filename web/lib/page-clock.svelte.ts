// The hub's time on this page: what the hub said plus the page's own monotonic clock. The phone's
// time of day is never asked, because it may be wrong.
import { toInstant, type Instant } from '#domain/time.ts';

const TICK_MS = 1_000;

/** When the answer that carries the page's data began to arrive, on the monotonic clock. */
export const arrivedAt = (): number => {
	if (typeof document === 'undefined') return 0;
	const [entry] = performance.getEntriesByType('navigation');
	const first = entry instanceof PerformanceNavigationTiming ? entry.responseStart : 0;
	// Later data comes by fetch, at the moment it is used.
	return document.readyState === 'complete' ? performance.now() : first;
};

export class PageClock {
	/** Ticks once a second while someone looks. */
	now: Instant = $state(toInstant(0));
	/** The same on the monotonic clock, for countdowns. */
	elapsedMs = $state(0);
	#base: { said: number; at: number };

	constructor(said: Instant) {
		this.#base = { said, at: arrivedAt() };
		this.now = said;
		this.elapsedMs = this.#base.at;
	}

	/** The hub said its time again. */
	set(said: Instant): void {
		this.#base = { said, at: performance.now() };
		this.tick();
	}

	read(): Instant {
		return toInstant(this.#base.said + (performance.now() - this.#base.at));
	}

	tick(): void {
		this.now = this.read();
		this.elapsedMs = performance.now();
	}

	/** Call in an effect; the returned function stops it. */
	start(): () => void {
		this.tick();
		const timer = setInterval(() => {
			if (document.visibilityState === 'visible') this.tick();
		}, TICK_MS);
		const seen = (): void => this.tick();
		document.addEventListener('visibilitychange', seen);
		return () => {
			clearInterval(timer);
			document.removeEventListener('visibilitychange', seen);
		};
	}
}
