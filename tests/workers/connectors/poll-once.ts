// Polls a source as the job does, for tests: keeps the basis from poll to poll.
import type { Answer, SpokenAnswer } from '#domain/answer.ts';
import type { SlotFact } from '#domain/slot.ts';
import { SourceSettings } from '#domain/source.ts';
import { toInstant, type Instant } from '#domain/time.ts';
import type { Connector, PollRequest } from '#workers/connectors/connector.ts';
import { createConnectors, type ConnectorsOptions } from '#workers/connectors/connectors.ts';
import { mustClose } from '../../support/leaks.ts';

export const makeConnectors = (over: Partial<ConnectorsOptions> = {}) =>
	mustClose(
		'connectors',
		createConnectors({ allowPrivate: true, deadlineMs: 10_000, ratePerSecond: 1_000, ...over })
	);

type SourceInput = Partial<typeof SourceSettings._zod.input> & { kind: SourceSettings['kind'] };

export const makeSource = (over: SourceInput): SourceSettings =>
	SourceSettings.parse({
		key: 'clinic-under-test',
		name: 'Clinic under test',
		url: 'http://127.0.0.1:9/none',
		allowPrivate: true,
		...over
	});

export type Poller = {
	/** One poll; its answer is committed unless told otherwise. */
	readonly poll: (over?: Partial<PollRequest> & { commit?: boolean }) => Promise<Answer>;
	/** The basis of the next poll. */
	readonly basis: () => string | null;
};

export const createPoller = (
	connector: Connector,
	source: SourceSettings,
	now: () => number
): Poller => {
	let basis: string | null = null;
	let turn = 0;
	return {
		basis: () => basis,
		poll: async ({ commit = true, ...over } = {}) => {
			turn += 1;
			const token = `token-${turn}`;
			const answer = await connector.poll({
				source,
				cursor: {},
				basis,
				token,
				now: toInstant(now()),
				wantFull: false,
				signal: AbortSignal.timeout(15_000),
				...over
			});
			const isCommitted = commit && answer.state !== 'silent';
			connector.settle(source.key, token, isCommitted);
			if (isCommitted) basis = token;
			return answer;
		}
	};
};

export const spoken = (answer: Answer): SpokenAnswer => {
	if (answer.state === 'silent') throw new Error(`silent: ${answer.reason}: ${answer.detail}`);
	return answer;
};

/** The facts of a full listing; throws for any other. */
export const factsOf = (answer: Answer): readonly SlotFact[] => {
	const { listing } = spoken(answer);
	if (listing.form !== 'full') throw new Error(`a full listing, not ${listing.form}`);
	return listing.facts;
};

export const instantOf = (text: string): Instant => toInstant(Date.parse(text));
