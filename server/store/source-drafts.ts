// Sources that an operator wants tried on the page: a worker reads each once, then it waits for a yes.
// The secret waits encrypted, until it is saved or cannot be; an hour later all of it is forgotten.
import type {
	DraftFailure,
	DraftId,
	Operator,
	SourceDraft,
	TryReport,
	WishedSource
} from '#domain/source-desk.ts';
import type { SourceSettings } from '#domain/source.ts';
import type { Queryable } from '../platform/postgres.ts';
import type { SecretCipher, SecretPlace } from '../platform/secret-cipher.ts';
import {
	forgottenBefore,
	givenBack,
	isFree,
	isLost,
	letGo,
	taken,
	takenBy,
	type Taker
} from './wishes.ts';

const placeOf = (id: DraftId): SecretPlace => ({ table: 'source_drafts', row: id, name: 'key' });

/** Forgets drafts that are too old; how many. */
export const dropOldDrafts = async (sql: Queryable): Promise<number> => {
	const { count } = await sql`delete from source_drafts where made_at < ${forgottenBefore(sql)}`;
	return count;
};

export const insertDraft = async (
	sql: Queryable,
	cipher: SecretCipher,
	{ id, settings, secret, by }: WishedSource & { readonly id: DraftId; readonly by: Operator }
): Promise<void> => {
	await dropOldDrafts(sql);
	const kept = secret === null ? null : cipher.seal(placeOf(id), secret);
	await sql`
		insert into source_drafts (id, settings, key_id, wrapped_key, sealed, made_by)
		values (${id}, ${JSON.stringify(settings)}::text::jsonb,
			${kept?.keyId ?? null}, ${kept === null ? null : Buffer.from(kept.wrapped)},
			${kept === null ? null : Buffer.from(kept.sealed)}, ${by})`;
};

/** null = there is none, or it was forgotten. */
export const readDraft = async (sql: Queryable, id: DraftId): Promise<SourceDraft | null> => {
	const [row] = await sql<SourceDraft[]>`
		select id, settings, report, why, sealed is not null as "hasSecret",
			secret_gone as "isSecretGone",
			(extract(epoch from clock_timestamp() - made_at) * 1000)::float8 as "ageMs",
			${takenBy(sql)} as worker
		from source_drafts where id = ${id} and made_at > ${forgottenBefore(sql)}`;
	return row ?? null;
};

/** O29: it waits for a worker as if it had just been asked for, with the secret that is kept. */
export const askAgain = async (
	sql: Queryable,
	{ id, by }: { readonly id: DraftId; readonly by: Operator }
): Promise<void> => {
	await sql`
		update source_drafts set report = null, why = null, ${letGo(sql)},
			made_at = clock_timestamp(), made_by = ${by}
		where id = ${id} and (report is not null or why is not null) and not secret_gone
			and made_at > ${forgottenBefore(sql)}`;
};

type SealedDraft = {
	readonly id: DraftId;
	readonly settings: SourceSettings;
	readonly keyId: string | null;
	readonly wrapped: Uint8Array | null;
	readonly sealed: Uint8Array | null;
};

const secretOf = (
	cipher: SecretCipher,
	{ id, keyId, wrapped, sealed }: SealedDraft
): string | null => {
	if (keyId === null || wrapped === null || sealed === null) return null;
	return cipher.open(placeOf(id), { keyId, wrapped, sealed });
};

/** The draft with its secret, which goes with it. Throws SecretUnreadable. */
export const takeDraft = async (
	tx: Queryable,
	cipher: SecretCipher,
	id: DraftId
): Promise<WishedSource | null> => {
	const [row] = await tx<SealedDraft[]>`
		delete from source_drafts where id = ${id} and made_at > ${forgottenBefore(tx)}
		returning id, settings, key_id as "keyId", wrapped_key as wrapped, sealed`;
	return row === undefined ? null : { settings: row.settings, secret: secretOf(cipher, row) };
};

/** A draft that somebody took up. */
export type ClaimedDraft = {
	readonly id: DraftId;
	readonly settings: SourceSettings;
	/** How many workers have had it, with this one. */
	readonly turn: number;
	/** Opens the secret only where it is used. Throws SecretUnreadable. */
	readonly openSecret: () => string | null;
};

/** What is kept of one that will not be read, and so not be saved: not its secret. */
const failed = (sql: Queryable, why: DraftFailure) => sql`why = ${why},
	secret_gone = secret_gone or sealed is not null, key_id = null,
	wrapped_key = null, sealed = null, ${letGo(sql)}`;

/** The next one that waits; null = none does. */
export const claimDraft = async (
	sql: Queryable,
	cipher: SecretCipher,
	taker: Taker
): Promise<ClaimedDraft | null> => {
	await sql`
		update source_drafts set ${failed(sql, 'lost')}
		where report is null and why is null and ${isLost(sql)}`;
	const [row] = await sql<(SealedDraft & { turn: number })[]>`
		update source_drafts set ${taken(sql, taker)}
		where id = (
			select id from source_drafts where report is null and why is null and ${isFree(sql)}
			order by made_at limit 1 for update skip locked)
		returning id, settings, tries as turn, key_id as "keyId", wrapped_key as wrapped, sealed`;
	if (row === undefined) return null;
	const { id, settings, turn } = row;
	return { id, settings, turn, openSecret: () => secretOf(cipher, row) };
};

export type DraftOutcome =
	| { readonly report: TryReport }
	| { readonly why: DraftFailure }
	/** The worker goes down and has not ended it: the next one begins at once. */
	| 'given_back';

const ended = (sql: Queryable, outcome: Exclude<DraftOutcome, 'given_back'>) =>
	'why' in outcome
		? failed(sql, outcome.why)
		: sql`report = ${JSON.stringify(outcome.report)}::text::jsonb, ${letGo(sql)}`;

/** What came of it; one that another worker has ended meanwhile stays as it is. */
export const finishDraft = async (
	sql: Queryable,
	{ id, turn }: Pick<ClaimedDraft, 'id' | 'turn'>,
	outcome: DraftOutcome
): Promise<void> => {
	if (outcome === 'given_back') {
		// Not out of the hands of the one that followed this worker.
		await sql`
			update source_drafts set ${givenBack(sql)}
			where id = ${id} and tries = ${turn} and report is null and why is null`;
		return;
	}
	await sql`
		update source_drafts set ${ended(sql, outcome)}
		where id = ${id} and report is null and why is null`;
};
