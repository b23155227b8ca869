// Many patients at once, each with a device of their own, who hold, extend, let go, confirm in time,
// confirm in the very last milliseconds, or just walk away; and who ask again when no answer comes.
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../support/random.ts';
import type { Attempt } from './history.ts';
import type { Heard, Way, Wish } from './way.ts';

export type Patients = {
	/** Everything asked so far, in the order of the answers. */
	readonly attempts: readonly Attempt[];
	/** Requests that never reached a hub, because there was none: no attempts. */
	readonly turnedAway: () => number;
	/** Resolves when `count` requests were answered, or lost on the way. */
	run(count: number): Promise<void>;
};

export type PatientsOptions = {
	readonly way: Way;
	readonly random: Random;
	/** Slots that most patients want, and all slots. */
	readonly hot: readonly number[];
	readonly slots: readonly number[];
	/** Patients at a time. */
	readonly atOnce: number;
};

/** Nine of ten requests go to the hot slots. */
const HOT_SHARE = 0.9;
const TRIES = 5;
/** How long a patient waits before asking again, ms. */
const PAUSE_MS = [50, 250] as const;

/** Creates the patients; nobody asks anything before `run`. */
export const createPatients = (options: PatientsOptions): Patients => {
	const { random, hot, slots, atOnce, way } = options;
	const attempts: Attempt[] = [];
	let turnedAway = 0;
	let wanted = 0;

	const ask = async (wish: Wish): Promise<Heard> => {
		for (let turn = 1; ; turn += 1) {
			const sentAt = performance.now();
			const { wasReached, ...heard } = await way.send(wish);
			const { secret: _, ...facts } = wish;
			if (wasReached) attempts.push({ ...facts, ...heard, sentAt, answeredAt: performance.now() });
			else turnedAway += 1;
			if (heard.outcome !== 'unknown' || turn === TRIES) return { ...heard, wasReached };
			await sleep(random.int(...PAUSE_MS));
		}
	};

	/** Confirms while the hold has about `leftMs` left; negative = too late on purpose. */
	const confirmAt = async (wish: Wish, endsAt: number, leftMs: number): Promise<void> => {
		await sleep(Math.max(0, endsAt - leftMs - performance.now()));
		await ask(wish);
	};

	const visit = async (): Promise<void> => {
		const secret = randomUUID();
		const device = createHash('sha256').update(secret).digest('hex');
		const slotId = random.pick(random.chance(HOT_SHARE) ? hot : slots);
		const wish = { op: 'hold', secret, device, slotId, key: randomUUID(), holdId: null } as const;
		const sentAt = performance.now();
		const { outcome, answer } = await ask(wish);
		if (outcome !== 'ok' || answer?.state !== 'held') return;
		const own = { ...wish, key: randomUUID(), holdId: answer.id };
		const endsAt = sentAt + (answer.ttlMs ?? 0);
		const mood = random.int(0, 99);
		if (mood < 45) await ask({ ...own, op: 'release' });
		else if (mood < 53) await ask({ ...own, op: 'extend' });
		else if (mood < 58) await ask({ ...own, op: 'confirm' });
		else if (mood < 66) await confirmAt({ ...own, op: 'confirm' }, endsAt, random.int(-4, 12));
		else if (mood < 68) {
			await Promise.all([ask({ ...own, op: 'release' }), ask({ ...own, op: 'confirm' })]);
		}
	};

	const patient = async (): Promise<void> => {
		while (attempts.length < wanted) await visit();
	};

	return {
		attempts,
		turnedAway: () => turnedAway,
		run: async (count) => {
			wanted = attempts.length + count;
			await Promise.all(Array.from({ length: atOnce }, patient));
		}
	};
};
