// Sources that were tried on the operator's page and wait for a yes. The secret waits encrypted; an
// hour later all of it is forgotten.
import type { DraftId, Operator, SourceDraft, WishedSource } from '#domain/source-desk.ts';
import type { Queryable } from '../platform/postgres.ts';
import type { SealedSecret, SecretCipher, SecretPlace } from '../platform/secret-cipher.ts';

const DRAFT_MINUTES = 60;

const placeOf = (id: DraftId): SecretPlace => ({ table: 'source_drafts', row: id, name: 'key' });

/** Forgets drafts that are too old; how many. */
export const dropOldDrafts = async (sql: Queryable): Promise<number> => {
	const { count } = await sql`
		delete from source_drafts
		where made_at < clock_timestamp() - ${DRAFT_MINUTES} * interval '1 minute'`;
	return count;
};

export const insertDraft = async (
	sql: Queryable,
	cipher: SecretCipher,
	draft: WishedSource & Pick<SourceDraft, 'id' | 'report'> & { readonly by: Operator }
): Promise<void> => {
	await dropOldDrafts(sql);
	const { id, settings, report, secret, by } = draft;
	const kept = secret === null ? null : cipher.seal(placeOf(id), secret);
	await sql`
		insert into source_drafts (id, settings, report, key_id, wrapped_key, sealed, made_by)
		values (${id}, ${JSON.stringify(settings)}::text::jsonb, ${JSON.stringify(report)}::text::jsonb,
			${kept?.keyId ?? null}, ${kept === null ? null : Buffer.from(kept.wrapped)},
			${kept === null ? null : Buffer.from(kept.sealed)}, ${by})`;
};

type DraftRow = Pick<SourceDraft, 'settings' | 'report'> & {
	readonly keyId: string | null;
	readonly wrapped: Uint8Array | null;
	readonly sealed: Uint8Array | null;
};

const findDraft = async (sql: Queryable, id: DraftId): Promise<DraftRow | null> => {
	const [row] = await sql<DraftRow[]>`
		select settings, report, key_id as "keyId", wrapped_key as wrapped, sealed
		from source_drafts
		where id = ${id} and made_at > clock_timestamp() - ${DRAFT_MINUTES} * interval '1 minute'`;
	return row ?? null;
};

export const readDraft = async (sql: Queryable, id: DraftId): Promise<SourceDraft | null> => {
	const row = await findDraft(sql, id);
	if (row === null) return null;
	return { id, settings: row.settings, report: row.report, hasSecret: row.sealed !== null };
};

/** The draft with its secret, which goes with it. Throws SecretUnreadable. */
export const takeDraft = async (
	tx: Queryable,
	cipher: SecretCipher,
	id: DraftId
): Promise<WishedSource | null> => {
	const row = await findDraft(tx, id);
	if (row === null) return null;
	await tx`delete from source_drafts where id = ${id}`;
	const { settings, keyId, wrapped, sealed } = row;
	const isSealed = keyId !== null && wrapped !== null && sealed !== null;
	const kept: SealedSecret | null = isSealed ? { keyId, wrapped, sealed } : null;
	return { settings, secret: kept === null ? null : cipher.open(placeOf(id), kept) };
};
