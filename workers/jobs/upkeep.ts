// The nightly upkeep, started by node-cron: partitions ahead, old rows behind, the details of
// patients from long ago destroyed, keys re-wrapped, the audit verified. Once a night, however many
// workers there are.
import { schedule } from 'node-cron';
import type { Logger as CronLogger, ScheduledTask } from 'node-cron';
import { MINUTE_MS } from '#domain/time.ts';
import { logFault, publicText, type Log } from '#server/platform/log.ts';
import { PhiUnreadable, type PhiCipher } from '#server/platform/phi.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { SecretUnreadable, type SecretCipher } from '#server/platform/secret-cipher.ts';
import { verifyAudit, type AuditHead } from '#server/store/audit.ts';
import { shredOldPatients } from '#server/store/old-patients.ts';
import { countOtherKeys, rewrapPatients } from '#server/store/patients.ts';
import { countOtherSecretKeys, rewrapSecrets } from '#server/store/source-secrets.ts';
import { beginUpkeep, finishUpkeep, lastAuditHead } from '#server/store/upkeep-runs.ts';
import { purgeOld, rollPartitions, type PurgeCounts } from '#server/store/upkeep.ts';

export type UpkeepDeps = {
	readonly sql: Sql;
	readonly phi: PhiCipher;
	/** Opens the secrets of sources. */
	readonly secrets: SecretCipher;
	readonly limits: {
		readonly changeLogDays: number;
		readonly slotDays: number;
		readonly patientDays: number;
	};
	readonly log: Log;
};

export type UpkeepCounts = PurgeCounts & {
	readonly rolled: number;
	readonly shredded: number;
	readonly rewrapped: number;
	/** Patients and secrets whose key is not under the current one: an older key is needed until 0. */
	readonly otherKeys: number;
};

const BATCH = 500;
const MAX_BATCHES = 200;

/** Repeats a batch of work until it finds no more, within a bound. */
const inBatches = async (work: (limit: number) => Promise<number>): Promise<number> => {
	let total = 0;
	for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
		const done = await work(BATCH);
		total += done;
		if (done < BATCH) break;
	}
	return total;
};

/** P3: a row that cannot be opened is somebody's to look at, and no reason to leave the rest. */
const rewrapKind = async (
	log: Log,
	rewrap: (limit: number) => Promise<number>
): Promise<number> => {
	let total = 0;
	try {
		await inBatches(async (limit) => {
			const done = await rewrap(limit);
			total += done;
			return done;
		});
	} catch (error) {
		if (!(error instanceof PhiUnreadable || error instanceof SecretUnreadable)) throw error;
		logFault(log, 'rewrap_failed', error);
	}
	return total;
};

const rewrapAll = async ({ sql, phi, secrets, log }: UpkeepDeps): Promise<number> =>
	(await rewrapKind(log, (limit) => rewrapPatients(sql, phi, limit))) +
	(await rewrapKind(log, (limit) => rewrapSecrets(sql, secrets, limit)));

/**
 * P8: recomputes the chain from its beginning, and against the head that an earlier night noted.
 * null = it is broken. The head also goes into the log, where who holds the database cannot reach.
 */
const checkAudit = async ({ sql, log }: UpkeepDeps): Promise<AuditHead | null> => {
	const verdict = await verifyAudit(sql, await lastAuditHead(sql));
	if (!verdict.intact) {
		log.error('audit_broken', { rowId: verdict.brokenAt });
		return null;
	}
	const { id, hash } = verdict.head;
	log.info('audit_intact', { rowId: id, hash: publicText(hash) });
	return verdict.head;
};

/** W20: null = another worker does or did this night's upkeep. */
export const runUpkeep = async (deps: UpkeepDeps): Promise<UpkeepCounts | null> => {
	const { sql, phi, secrets, limits, log } = deps;
	const night = await beginUpkeep(sql);
	if (night === null) return null;
	const rolled = await rollPartitions(sql);
	const purged = await purgeOld(sql, limits);
	const shredded = await inBatches((limit) => shredOldPatients(sql, limits.patientDays, limit));
	const rewrapped = await rewrapAll(deps);
	const otherKeys = (await countOtherKeys(sql, phi)) + (await countOtherSecretKeys(sql, secrets));
	const counts = { ...purged, rolled, shredded, rewrapped, otherKeys };
	await finishUpkeep(sql, night, { ...counts, auditHead: await checkAudit(deps) });
	log.info('upkeep_done', { night: publicText(night), ...counts });
	return counts;
};

/** Workers of one fleet do not all wake in the same second. */
const SPREAD_MS = 10 * MINUTE_MS;

/** node-cron would write to the console. What it says of a late start is worth a line, no more. */
const cronLogger = (log: Log): CronLogger => ({
	info: () => {},
	debug: () => {},
	warn: () => log.warn('upkeep_late'),
	error: () => log.error('upkeep_clock_failed')
});

/** `cron` is read in UTC. Stop it with `destroy()`. Throws for a line that is no cron line. */
export const scheduleUpkeep = (
	cron: string,
	deps: UpkeepDeps,
	spreadMs = SPREAD_MS
): ScheduledTask =>
	schedule(
		cron,
		async () => {
			try {
				await runUpkeep(deps);
			} catch (error) {
				logFault(deps.log, 'upkeep_failed', error);
			}
		},
		{
			name: 'upkeep',
			timezone: 'UTC',
			noOverlap: true,
			maxRandomDelay: spreadMs,
			logger: cronLogger(deps.log)
		}
	);
