// Reads kept answers again for operators who asked for it on the page, and applies those that were
// confirmed. Here and not in a hub: a large answer takes seconds to parse.
import { unreachable } from '#domain/result.ts';
import { foundOf } from '#domain/reread.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import { noteReplay } from '#server/store/operate-sources.ts';
import {
	claimReread,
	finishReread,
	type ClaimedReread,
	type RereadOutcome
} from '#server/store/rereads.ts';
import type { RawDeps } from './raw-keeper.ts';
import type { Loop } from './repeat.ts';
import { commitReread, rereadAnswer } from './replay-answer.ts';
import { thisWorker, WISHES_EVERY_MS, workOff } from './wishes.ts';

/** Longer than any reading takes. */
const LEASE_MS = 3 * MINUTE_MS;

type RereadDeps = RawDeps & { readonly log: Log };

const read = async (deps: RereadDeps, claimed: ClaimedReread): Promise<RereadOutcome> => {
	const startedAt = performance.now();
	const done = await rereadAnswer(deps, claimed.sourceId, ({ gen }) => gen === claimed.gen);
	if (!done.ok) return { stage: 'failed', why: 'gone' };
	return { stage: 'read', found: foundOf(done.value, Math.round(performance.now() - startedAt)) };
};

/**
 * What it says is read anew: the answer is what the operator saw, whoever reads it. One that a worker left
 * while applying cannot be applied twice, and nobody knows whether it was applied once.
 */
const apply = async (deps: RereadDeps, claimed: ClaimedReread): Promise<RereadOutcome> => {
	const { sourceId, key, by, isAgain } = claimed;
	const done = await rereadAnswer(deps, sourceId, ({ gen }) => gen === claimed.gen);
	if (!done.ok) return { stage: 'failed', why: isAgain ? 'unsure' : 'gone' };
	const { raw, answer } = done.value;
	if (answer.state === 'silent') return { stage: 'failed', why: 'silent' };
	const committed = await commitReread(deps, { raw, answer });
	if (!committed.ok) return { stage: 'failed', why: isAgain ? 'unsure' : 'not_now' };
	await deps.sql.begin((tx) => noteReplay(tx, by, key));
	return { stage: 'applied', changes: committed.value.changes };
};

const workOn = (deps: RereadDeps, claimed: ClaimedReread): Promise<RereadOutcome> => {
	switch (claimed.stage) {
		case 'reading':
			return read(deps, claimed);
		case 'applying':
			return apply(deps, claimed);
		default:
			return unreachable(claimed.stage);
	}
};

/** O21: works off what is wished; how many. */
export const rereadWished = (deps: RereadDeps) =>
	workOff<ClaimedReread, RereadOutcome>({
		claim: () => claimReread(deps.sql, { worker: thisWorker, leaseMs: LEASE_MS }),
		work: (claimed) => workOn(deps, claimed),
		onFault: ({ sourceId, key, gen, stage }, error) => {
			logFault(deps.log, 'reread_failed', error, { ...aboutSource(sourceId, key), gen });
			return { stage: 'failed', why: stage === 'applying' ? 'unsure' : 'broken' };
		},
		finish: async (claimed, outcome) => {
			await finishReread(deps.sql, claimed, outcome);
			const { sourceId, key, gen } = claimed;
			deps.log.info('reread_done', { ...aboutSource(sourceId, key), gen });
		}
	});

export const rereadLoop = (deps: RereadDeps): Loop => ({
	name: 'reread-answers',
	everyMs: WISHES_EVERY_MS,
	run: rereadWished(deps)
});
