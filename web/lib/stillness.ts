// Is the list at rest? Nothing may move while a finger, a pointer or the keyboard is about to act.

/** How long after the last touch, scroll or key the list counts as at rest, ms. */
const REST_MS = 2_500;

export class Stillness {
	#lastAt = -Infinity;
	#isUnderPointer = false;
	#list: HTMLElement | null = null;

	isAtRest(): boolean {
		if (this.#isUnderPointer || performance.now() - this.#lastAt < REST_MS) return false;
		// A focused time is one key press away from being held.
		return this.#list?.contains(document.activeElement) !== true;
	}

	/** Watches `list`; the returned function stops it. */
	watch(list: HTMLElement): () => void {
		this.#list = list;
		const touched = (): void => {
			this.#lastAt = performance.now();
		};
		const entered = (event: PointerEvent): void => {
			if (event.pointerType === 'mouse') this.#isUnderPointer = true;
		};
		const left = (): void => {
			this.#isUnderPointer = false;
		};
		list.addEventListener('pointerenter', entered);
		list.addEventListener('pointermove', entered, { passive: true });
		list.addEventListener('pointerleave', left);
		const anywhere = ['pointerdown', 'touchstart', 'touchmove', 'scroll', 'keydown'] as const;
		for (const name of anywhere) addEventListener(name, touched, { passive: true, capture: true });
		return () => {
			list.removeEventListener('pointerenter', entered);
			list.removeEventListener('pointermove', entered);
			list.removeEventListener('pointerleave', left);
			for (const name of anywhere) removeEventListener(name, touched, { capture: true });
			this.#list = null;
		};
	}
}
