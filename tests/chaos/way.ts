// How a patient's wish reaches the system, and what can be heard of it.
import type { Attempt, Op } from './history.ts';

export type Wish = {
	readonly op: Op;
	/** The device's own secret, and its digest, which is all the hub keeps. */
	readonly secret: string;
	readonly device: string;
	readonly slotId: number;
	readonly key: string;
	readonly holdId: string | null;
};

export type Heard = Pick<Attempt, 'outcome' | 'reason' | 'answer'> & {
	/** False when there was nobody to ask: then nothing can have happened. */
	readonly wasReached: boolean;
};

export type Way = {
	/** Never rejects for what a network or a dying server does. */
	readonly send: (wish: Wish) => Promise<Heard>;
	readonly close: () => Promise<void>;
};

export const lostAnswer = (wasReached: boolean): Heard => ({
	outcome: 'unknown',
	reason: null,
	answer: null,
	wasReached
});

/** Whether a request failed before anybody could have read it. */
export const isUnreached = (error: unknown): boolean =>
	error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';

/** Invented, and another person for each hold; only that it is encrypted and carried matters. */
export const detailsFor = (holdId: string) => ({
	givenName: 'Chaos',
	familyName: `Patient ${holdId}`,
	bornOn: '1970-01-01',
	phone: '+1 406 555 0100'
});
