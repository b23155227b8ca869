// The part of the hub that takes what sources push: recorded, answered, then written by this very hub;
// a worker follows when that fails.
import type { RoomEntry } from '#domain/protocol.ts';
import type { ScheduleId } from '#domain/ids.ts';
import type { Clock } from '#domain/time.ts';
import type { Config } from '#server/platform/config.ts';
import { keysById } from '#server/platform/keyring.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { applyPushes } from '#server/scheduling/apply-pushes.ts';
import { takePush, type TakePush } from '#server/scheduling/take-push.ts';
import { createPushKeys } from '#server/store/push-keys.ts';

type Parts = {
	readonly config: Config;
	readonly sql: Sql;
	readonly clock: Clock;
	readonly log: Log;
	readonly publish: (entries: readonly RoomEntry[]) => void;
	readonly addAlerts: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>;
};

export const openPushDoor = ({ config, sql, clock, log, publish, addAlerts }: Parts): TakePush => {
	const apply = applyPushes({ sql, publish, addAlerts, log });
	const cipher = createSecretCipher(keysById(config.phiKeys));
	return takePush({
		sql,
		clock,
		log,
		keysOf: createPushKeys({ sql, cipher, secrets: config.sourceSecrets }).of,
		apply: (source) => {
			apply(source).catch((error: unknown) => {
				logFault(log, 'push_not_applied', error, aboutSource(source.id, source.key));
			});
		}
	});
};
