// The countdown of a hold: the hub's interval on the page's monotonic clock. The phone's time of
// day plays no part, so a wrong clock changes nothing.
import { arrivedAt } from './page-clock.svelte.ts';
import type { HoldView } from '#domain/hold.ts';

const TICK_MS = 250;

export class HoldCountdown {
	leftMs = $state(0);
	/** False in the HTML alone: then it says "about 4 minutes", because nothing counts. */
	isTicking = $state(false);
	#endsAt = 0;
	#hold: HoldView;

	constructor(hold: HoldView) {
		this.#hold = hold;
		this.leftMs = hold.ttlMs;
		this.#endsAt = arrivedAt() + hold.ttlMs;
	}

	get isOver(): boolean {
		return this.leftMs <= 0;
	}

	set(hold: HoldView): void {
		if (hold === this.#hold) return;
		this.#hold = hold;
		this.#endsAt = performance.now() + hold.ttlMs;
		this.leftMs = hold.ttlMs;
	}

	/** Call in an effect; the returned function stops it. */
	start(): () => void {
		this.isTicking = true;
		const tick = (): void => {
			this.leftMs = Math.max(0, this.#endsAt - performance.now());
		};
		tick();
		const timer = setInterval(tick, TICK_MS);
		return () => {
			clearInterval(timer);
		};
	}
}
