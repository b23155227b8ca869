// Tries sources for operators who asked for it on the page: read once and in full, nothing published.
// Here and not in a hub: nobody knows how large a source is before it was read.
import { reportOf } from '#domain/source-desk.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { logFault, publicText, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import type { SecretCipher } from '#server/platform/secret-cipher.ts';
import {
	claimDraft,
	finishDraft,
	type ClaimedDraft,
	type DraftOutcome
} from '#server/store/source-drafts.ts';
import { askOnce, TRY_MS } from '../connectors/ask-once.ts';
import type { ConnectorsOptions } from '../connectors/connectors.ts';
import type { Loop } from './repeat.ts';
import { thisWorker, WISHES_EVERY_MS, workOff } from './wishes.ts';

/** Beside the wait for the source there is the parsing of what came. */
const LEASE_MS = TRY_MS + MINUTE_MS;
/** A source that hangs keeps one of these busy, not the next operator waiting. */
const AT_ONCE = 3;

type TryDeps = {
	readonly sql: Sql;
	readonly cipher: SecretCipher;
	readonly log: Log;
	/** Of the environment, by the source's key: for those that none was typed for. */
	readonly secrets: ReadonlyMap<string, string>;
	/** As the polls ask: guards, manners, who we are. */
	readonly options: Omit<ConnectorsOptions, 'secretOf'>;
	/** Aborted when this process may wait no longer. */
	readonly signal: AbortSignal;
};

const read = async (
	{ secrets, options, signal }: TryDeps,
	{ settings, openSecret }: ClaimedDraft
): Promise<DraftOutcome> => {
	const startedAt = performance.now();
	const secret = openSecret() ?? secrets.get(settings.key) ?? null;
	const answer = await askOnce(options, { settings, secret, signal });
	// What was cut short says nothing about the source.
	if (signal.aborted) return 'given_back';
	return { report: reportOf(answer, Math.round(performance.now() - startedAt)) };
};

/** O22: works off what is to be tried; how many. */
export const tryWished = (deps: TryDeps) =>
	workOff<ClaimedDraft, DraftOutcome>({
		claim: async () => {
			if (deps.signal.aborted) return null;
			return await claimDraft(deps.sql, deps.cipher, { worker: thisWorker, leaseMs: LEASE_MS });
		},
		work: (claimed) => read(deps, claimed),
		onFault: ({ settings }, error) => {
			logFault(deps.log, 'try_failed', error, { source: publicText(settings.key) });
			return { why: 'broken' };
		},
		finish: async (claimed, outcome) => {
			await finishDraft(deps.sql, claimed, outcome);
			const source = publicText(claimed.settings.key);
			deps.log.info('try_done', { source, isGivenBack: outcome === 'given_back' });
		}
	});

/** W46 */
export const tryLoops = (deps: TryDeps): Loop[] =>
	Array.from({ length: AT_ONCE }, (_, nr) => ({
		name: `try-sources-${nr + 1}`,
		everyMs: WISHES_EVERY_MS,
		run: tryWished(deps)
	}));
