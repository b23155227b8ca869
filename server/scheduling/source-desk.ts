// The operator's desk: sources are tried, added, paused and taken away, from the page and from the
// command line alike.
import { randomUUID } from 'node:crypto';
import type { Answer } from '#domain/answer.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { RereadId, type RereadDesk } from '#domain/reread.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import {
	DraftId,
	givesNothing,
	reportOf,
	type Operator,
	type RemovedSource,
	type SourceDesk,
	type WishedSource
} from '#domain/source-desk.ts';
import type { Sql } from '../platform/postgres.ts';
import type { SecretCipher } from '../platform/secret-cipher.ts';
import {
	addSourceIn,
	findSource,
	isSourceKnown,
	pauseSource,
	removeSource,
	resumeSource,
	weighSource
} from '../store/operate-sources.ts';
import { insertReread, listKeptAnswers, readReread, wishToApply } from '../store/rereads.ts';
import { insertDraft, readDraft, takeDraft } from '../store/source-drafts.ts';

/** Reads a source once through its connector, in full; never fails for what the source does. */
export type AskSource = (wish: WishedSource) => Promise<Answer>;

export type SourceDeskDeps = {
	readonly sql: Sql;
	readonly secrets: SecretCipher;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	readonly ask: AskSource;
};

const tryAndKeep =
	({ sql, secrets, ask }: SourceDeskDeps): SourceDesk['try'] =>
	async (by, wish) => {
		const startedAt = performance.now();
		const answer = await ask(wish);
		const report = reportOf(answer, Math.round(performance.now() - startedAt));
		const id = DraftId.parse(randomUUID());
		await insertDraft(sql, secrets, { ...wish, id, report, by });
		return { id, settings: wish.settings, hasSecret: wish.secret !== null, report };
	};

const addTried =
	({ sql, secrets }: SourceDeskDeps): SourceDesk['add'] =>
	async (by, id, anyway) => {
		const draft = await readDraft(sql, id);
		if (draft === null) return refuse('draft_unknown');
		if (givesNothing(draft.report) && !anyway) return refuse('source_gives_nothing');
		return await sql.begin(async (tx) => {
			// The draft stays for another key.
			if (await isSourceKnown(tx, draft.settings.key)) return refuse('source_exists');
			const wish = await takeDraft(tx, secrets, id);
			if (wish === null) return refuse('draft_unknown');
			const added = await addSourceIn(tx, secrets, { ...wish, by, replaces: false });
			if (added.ok) return ok(null);
			return added;
		});
	};

/** E8: what is removed leaves the boards of every hub; the holders hear of it from the sweep. */
export const takeAway =
	({ sql, publish }: Pick<SourceDeskDeps, 'sql' | 'publish'>) =>
	async (by: Operator, key: string): Promise<Result<RemovedSource, 'source_unknown'>> => {
		const removed = await removeSource(sql, { key, by });
		if (!removed.ok) return removed;
		const { entries, ...touched } = removed.value;
		if (entries.length > 0) publish(entries);
		return ok(touched);
	};

const keptOf =
	({ sql }: SourceDeskDeps): RereadDesk['kept'] =>
	async (key) => {
		const source = await findSource(sql, key);
		if (source === null) return refuse('source_unknown');
		return ok({ name: source.name, answers: await listKeptAnswers(sql, source.id) });
	};

const askToReread =
	({ sql }: SourceDeskDeps): RereadDesk['reread'] =>
	async (by, key, gen) => {
		const source = await findSource(sql, key);
		if (source === null) return refuse('source_unknown');
		const id = RereadId.parse(randomUUID());
		const isKept = await insertReread(sql, { id, sourceId: source.id, gen, by });
		return isKept ? ok(id) : refuse('answer_gone');
	};

export const createSourceDesk = (deps: SourceDeskDeps): SourceDesk & RereadDesk => ({
	try: tryAndKeep(deps),
	readDraft: async (id) => {
		const draft = await readDraft(deps.sql, id);
		return draft === null ? refuse('draft_unknown') : ok(draft);
	},
	add: addTried(deps),
	pause: (by, key, because) => pauseSource(deps.sql, { key, because, by }),
	resume: (by, key) => resumeSource(deps.sql, { key, by }),
	remove: takeAway(deps),
	kept: keptOf(deps),
	reread: askToReread(deps),
	readReread: (key, id) => readReread(deps.sql, { key, id }),
	applyReread: (by, key, id) => wishToApply(deps.sql, { key, id, by }),
	weigh: (key) => weighSource(deps.sql, key)
});
