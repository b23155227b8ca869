// Reads kept answers again for operators who asked for it on the page, and applies those that were
// confirmed. Here and not in a hub: a large answer takes seconds to parse.
import { unreachable } from '#domain/result.ts';
import { foundOf } from '#domain/reread.ts';
import { MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { logFault, type Log } from '#server/platform/log.ts';
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

/** Longer than any reading takes. */
const LEASE_MS = 3 * MINUTE_MS;
const EVERY_MS = SECOND_MS;
const MOST_PER_RUN = 20;

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

/** O21: works off what is wished; how many. A fault of ours on one is kept at that one. */
export const rereadWished = (deps: RereadDeps) => async (): Promise<number> => {
	const { sql, log } = deps;
	for (let done = 0; done < MOST_PER_RUN; done += 1) {
		const claimed = await claimReread(sql, LEASE_MS);
		if (claimed === null) return done;
		const { sourceId, gen } = claimed;
		let outcome: RereadOutcome;
		try {
			outcome = await workOn(deps, claimed);
		} catch (error) {
			logFault(log, 'reread_failed', error, { sourceId, gen });
			outcome = { stage: 'failed', why: claimed.stage === 'applying' ? 'unsure' : 'broken' };
		}
		await finishReread(sql, claimed, outcome);
		log.info('reread_done', { sourceId, gen });
	}
	return MOST_PER_RUN;
};

export const rereadLoop = (deps: RereadDeps): Loop => ({
	name: 'reread-answers',
	everyMs: EVERY_MS,
	run: rereadWished(deps)
});
