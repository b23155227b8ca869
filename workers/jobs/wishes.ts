// Works off what operators asked for on the page (domain/wish.ts): taken up one by one, ended each.
import { hostname } from 'node:os';
import { SECOND_MS } from '#domain/time.ts';

/** An operator waits before the page. */
export const WISHES_EVERY_MS = SECOND_MS;
const MOST_PER_RUN = 20;

/** As the page names who reads: `host:process`. */
export const thisWorker = `${hostname()}:${process.pid}`;

export type WishKind<Claimed, Outcome> = {
	/** null = none waits. */
	readonly claim: () => Promise<Claimed | null>;
	readonly work: (claimed: Claimed) => Promise<Outcome>;
	/** A fault of ours while working on it; logs it. */
	readonly onFault: (claimed: Claimed, error: unknown) => Outcome;
	readonly finish: (claimed: Claimed, outcome: Outcome) => Promise<void>;
};

/** Until none waits; how many were worked on. A fault of ours on one is kept at that one. */
export const workOff =
	<Claimed, Outcome>(kind: WishKind<Claimed, Outcome>) =>
	async (): Promise<number> => {
		for (let done = 0; done < MOST_PER_RUN; done += 1) {
			const claimed = await kind.claim();
			if (claimed === null) return done;
			const outcome = await kind
				.work(claimed)
				.catch((error: unknown) => kind.onFault(claimed, error));
			await kind.finish(claimed, outcome);
		}
		return MOST_PER_RUN;
	};
