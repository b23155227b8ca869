// How this process asks sources: who it is to them, with whose secrets, under which manners.
import type { Config } from '#server/platform/config.ts';
import { keysById } from '#server/platform/keyring.ts';
import { publicText, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { readConnectorSecret } from '#server/store/source-secrets.ts';
import type { ConnectorLog } from './connectors/connectors.ts';
import type { HostManners } from './connectors/host-manners.ts';

/** What the environment gives counts before what the database keeps (docs/decisions/016). */
export const secretsOf = (config: Config, sql: Sql) => {
	const cipher = createSecretCipher(keysById(config.phiKeys));
	const secretOf = async (key: string): Promise<string | null> =>
		config.sourceSecrets.get(key) ?? (await readConnectorSecret(sql, cipher, key));
	return { cipher, secretOf };
};

/** Messages of connectors name hosts and reasons, never what a clinic sent. */
const connectorLog = (log: Log): ConnectorLog => ({
	warn: (event, fields = {}) => {
		const pairs = Object.entries(fields);
		log.warn(
			event,
			Object.fromEntries(
				pairs.map(([name, value]) => [name, typeof value === 'string' ? publicText(value) : value])
			)
		);
	}
});

/** Who we are to sources, and how we ask them: the same for polls and tries. */
export const askingAs = (config: Config, log: Log, manners: HostManners) => ({
	log: connectorLog(log),
	allowPrivate: config.allowPrivateSources,
	contactUrl: config.publicUrl,
	manners
});
