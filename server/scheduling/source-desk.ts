// The operator's desk: sources are tried, added, paused and taken away, from the page and from the
// command line alike.
import { randomUUID } from 'node:crypto';
import type { RoomEntry } from '#domain/protocol.ts';
import { RereadId, type RereadDesk } from '#domain/reread.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import {
	DraftId,
	givesNothing,
	mayTryAgain,
	type Operator,
	type RemovedSource,
	type SourceDesk
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
import { askAgain, insertDraft, readDraft, takeDraft } from '../store/source-drafts.ts';

export type SourceDeskDeps = {
	readonly sql: Sql;
	readonly secrets: SecretCipher;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
};

const askToTry =
	({ sql, secrets }: SourceDeskDeps): SourceDesk['try'] =>
	async (by, wish) => {
		const id = DraftId.parse(randomUUID());
		await insertDraft(sql, secrets, { ...wish, id, by });
		return id;
	};

const tryAgain =
	({ sql }: SourceDeskDeps): SourceDesk['tryAgain'] =>
	async (by, id) => {
		const draft = await readDraft(sql, id);
		if (draft === null) return refuse('draft_unknown');
		if (mayTryAgain(draft)) await askAgain(sql, { id, by });
		return ok(null);
	};

const addTried =
	({ sql, secrets }: SourceDeskDeps): SourceDesk['add'] =>
	async (by, id, anyway) => {
		const draft = await readDraft(sql, id);
		if (draft === null) return refuse('draft_unknown');
		if (draft.report === null) return refuse('draft_unread');
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
	try: askToTry(deps),
	tryAgain: tryAgain(deps),
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
