// Where the push keys of sources come from: the environment first, then what is kept encrypted in the
// database (docs/decisions/016-secrets-of-sources.md). Two count while one is changed.
import { randomBytes } from 'node:crypto';
import type { SourceId } from '#domain/ids.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import {
	joinPushKeys,
	listPushSources,
	readPushKeys,
	splitPushKeys
} from '../platform/push-keys.ts';
import type { SecretCipher } from '../platform/secret-cipher.ts';
import type { Actor } from './audit.ts';
import { readSourceSecret, saveSourceSecret } from './source-secrets.ts';

const PUSH_SECRET = 'push';
const KEY_BYTES = 32;

export type PushKeys = {
	/** The current one first; none = the source may not push. Throws SecretUnreadable. */
	readonly of: (source: {
		readonly id: SourceId;
		readonly key: string;
	}) => Promise<readonly string[]>;
	/** Keys of all sources that may push. */
	readonly sources: () => Promise<readonly string[]>;
};

export type PushKeyParts = {
	readonly sql: Sql;
	readonly cipher: SecretCipher;
	/** Config.sourceSecrets */
	readonly secrets: ReadonlyMap<string, string>;
};

export const createPushKeys = ({ sql, cipher, secrets }: PushKeyParts): PushKeys => ({
	of: async ({ id, key }) => {
		const given = readPushKeys(secrets, key);
		if (given.length > 0) return given;
		const kept = await readSourceSecret(sql, cipher, { sourceId: id, name: PUSH_SECRET });
		return kept === null ? [] : splitPushKeys(kept);
	},
	sources: async () => {
		const rows = await sql<{ key: string }[]>`
			select s.key from source_secrets x join sources s on s.id = x.source_id
			where x.name = ${PUSH_SECRET} and s.enabled`;
		return [...new Set([...listPushSources(secrets), ...rows.map(({ key }) => key)])];
	}
});

/** Y18: makes a new push key; the one before counts beside it until the next time. Returns the new one. */
export const turnPushKey = async (
	tx: Tx,
	cipher: SecretCipher,
	sourceId: SourceId,
	by: Actor
): Promise<string> => {
	const made = `whsec_${randomBytes(KEY_BYTES).toString('base64')}`;
	const of = { sourceId, name: PUSH_SECRET };
	await tx`select 1 from sources where id = ${sourceId} for no key update`;
	const kept = await readSourceSecret(tx, cipher, of);
	const older = kept === null ? [] : splitPushKeys(kept);
	await saveSourceSecret(tx, cipher, { ...of, secret: joinPushKeys([made, ...older]) }, by);
	return made;
};
