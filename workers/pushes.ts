// The part of the workers that sees to what sources push: takes signals into the polling index, writes
// slots that a hub left behind, watches for silence and keeps the subscriptions.
import type { RoomEntry } from '#domain/protocol.ts';
import type { ScheduleId } from '#domain/ids.ts';
import { systemClock } from '#server/platform/clock.ts';
import type { Config } from '#server/platform/config.ts';
import { keysById } from '#server/platform/keyring.ts';
import type { Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { applyPushes } from '#server/scheduling/apply-pushes.ts';
import { createPushKeys } from '#server/store/push-keys.ts';
import type { Connectors } from './connectors/connectors.ts';
import { pushLoops } from './jobs/take-signals.ts';
import type { Loop } from './jobs/repeat.ts';
import type { Queues } from './queues.ts';

export type PushParts = {
	readonly config: Config;
	readonly sql: Sql;
	readonly queues: Pick<Queues, 'addPoll'>;
	readonly connectors: Omit<Connectors, 'close'>;
	readonly publish: (entries: readonly RoomEntry[]) => void;
	readonly addAlerts: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>;
	readonly log: Log;
};

export const openPushes = (parts: PushParts): Loop[] => {
	const cipher = createSecretCipher(keysById(parts.config.phiKeys));
	const { config, sql, queues, connectors, publish, addAlerts, log } = parts;
	return pushLoops({
		sql,
		queues,
		connectors,
		clock: systemClock,
		log,
		pushKeys: createPushKeys({ sql, cipher, secrets: config.sourceSecrets }),
		publicUrl: config.publicUrl,
		apply: applyPushes({ sql, publish, addAlerts, log })
	});
};
