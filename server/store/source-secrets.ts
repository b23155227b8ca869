// Secrets of sources, encrypted at rest and never listed in the clear: what the connector sends
// (`key`) and, under other names, what signs the messages that a source pushes.
import type { SourceId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import type { SealedSecret, SecretCipher, SecretPlace } from '../platform/secret-cipher.ts';
import { appendAudit, type Actor } from './audit.ts';

/** The secret that the source's connector sends. */
export const CONNECTOR_SECRET = 'key';

export type SecretName = {
	readonly sourceId: SourceId;
	/** Lower-case letters, digits and `-`, at most 40. */
	readonly name: string;
};

const placeOf = ({ sourceId, name }: SecretName): SecretPlace => ({
	table: 'source_secrets',
	row: String(sourceId),
	name
});

const noteIn = async (
	tx: Tx,
	by: Actor,
	action: 'secret_saved' | 'secret_dropped',
	of: SecretName
) => {
	const [row] = await tx<{ key: string }[]>`select key from sources where id = ${of.sourceId}`;
	await appendAudit(tx, by, action, [`source:${row?.key ?? ''}`, `secret:${of.name}`]);
};

/** Saves a secret, in place of one of the same name. `by` stands in the audit, the secret nowhere. */
export const saveSourceSecret = async (
	tx: Tx,
	cipher: SecretCipher,
	{ secret, ...of }: SecretName & { readonly secret: string },
	by: Actor
): Promise<void> => {
	const { keyId, wrapped, sealed } = cipher.seal(placeOf(of), secret);
	await tx`
		insert into source_secrets (source_id, name, key_id, wrapped_key, sealed)
		values (${of.sourceId}, ${of.name}, ${keyId}, ${Buffer.from(wrapped)}, ${Buffer.from(sealed)})
		on conflict (source_id, name) do update set
			key_id = excluded.key_id, wrapped_key = excluded.wrapped_key, sealed = excluded.sealed,
			saved_at = clock_timestamp()`;
	await noteIn(tx, by, 'secret_saved', of);
};

/** null = none is kept. Throws SecretUnreadable when the row or the key is not what it was. */
export const readSourceSecret = async (
	sql: Queryable,
	cipher: SecretCipher,
	of: SecretName
): Promise<string | null> => {
	const [row] = await sql<SealedSecret[]>`
		select key_id as "keyId", wrapped_key as wrapped, sealed from source_secrets
		where source_id = ${of.sourceId} and name = ${of.name}`;
	return row === undefined ? null : cipher.open(placeOf(of), row);
};

/** What a connector sends for the source of this key: as `readSourceSecret`. */
export const readConnectorSecret = async (
	sql: Queryable,
	cipher: SecretCipher,
	sourceKey: string
): Promise<string | null> => {
	const [row] = await sql<(SealedSecret & { sourceId: SourceId })[]>`
		select x.source_id as "sourceId", x.key_id as "keyId", x.wrapped_key as wrapped, x.sealed
		from source_secrets x join sources s on s.id = x.source_id
		where s.key = ${sourceKey} and x.name = ${CONNECTOR_SECRET}`;
	if (row === undefined) return null;
	return cipher.open(placeOf({ sourceId: row.sourceId, name: CONNECTOR_SECRET }), row);
};

/** false = there was none. */
export const dropSourceSecret = async (tx: Tx, of: SecretName, by: Actor): Promise<boolean> => {
	const { count } = await tx`
		delete from source_secrets where source_id = ${of.sourceId} and name = ${of.name}`;
	if (count > 0) await noteIn(tx, by, 'secret_dropped', of);
	return count > 0;
};

export type KeptSecret = { readonly name: string; readonly savedAt: Instant };

/** Which secrets a source has, never what they are. */
export const listSourceSecrets = (sql: Queryable, sourceId: SourceId): Promise<KeptSecret[]> =>
	sql<KeptSecret[]>`
		select name, saved_at as "savedAt" from source_secrets
		where source_id = ${sourceId} order by name`;

type KeptRow = SecretName & { readonly keyId: string; readonly wrapped: Uint8Array };

/**
 * Wraps data keys that an older key-encryption key protects with the current one, at most `limit`;
 * repeat until 0. Throws SecretUnreadable when a row was tampered with.
 */
export const rewrapSecrets = (sql: Sql, cipher: SecretCipher, limit: number): Promise<number> =>
	sql.begin(async (tx) => {
		const rows = await tx<KeptRow[]>`
			select source_id as "sourceId", name, key_id as "keyId", wrapped_key as wrapped
			from source_secrets where key_id = any (${[...cipher.olderKeyIds]})
			order by source_id, name limit ${limit} for update skip locked`;
		for (const row of rows) {
			const next = cipher.rewrap(placeOf(row), row);
			await tx`
				update source_secrets
				set key_id = ${next.keyId}, wrapped_key = ${Buffer.from(next.wrapped)}
				where source_id = ${row.sourceId} and name = ${row.name}`;
		}
		return rows.length;
	});

/** Secrets whose data key is not under the current key-encryption key. */
export const countOtherSecretKeys = async (
	sql: Queryable,
	cipher: SecretCipher
): Promise<number> => {
	const [row] = await sql<{ count: number }[]>`
		select count(*) as count from source_secrets where key_id <> ${cipher.currentKeyId}`;
	return row?.count ?? 0;
};
