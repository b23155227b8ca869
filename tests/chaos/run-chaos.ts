// One chaos run from beginning to end: patients against a system that is being killed, then peace,
// then the verdict of the checker over everything that was said and written.
import { must } from '#domain/result.ts';
import type { Random } from '../support/random.ts';
import { until } from '../support/until.ts';
import { ledgerFaults } from '../whole/ledger.ts';
import { checkLedger, type Verdict } from './check-ledger.ts';
import { createDirectWay } from './direct-way.ts';
import type { Attempt } from './history.ts';
import { createHttpWay } from './http-way.ts';
import { startNemesis, type FaultName } from './nemesis.ts';
import { createPatients, type Patients } from './patients.ts';
import { readHistory } from './read-history.ts';
import { createStage, HOLD_TTL_MS, type Stage } from './stage.ts';

export type ChaosOptions = {
	/** Requests that are answered, or lost on the way. */
	readonly attempts: number;
	/** It goes on until every fault has happened so often. */
	readonly faultsEach: number;
	readonly random: Random;
	readonly onProgress?: (line: string) => void;
};

export type ChaosReport = Verdict & {
	readonly faults: Readonly<Record<FaultName, number>>;
	/** Attempts that went over HTTP; the others asked the hub's use cases directly. */
	readonly overHttp: number;
	/** Answers and requests lost at the doors. */
	readonly lostReplies: number;
	readonly lostRequests: number;
	readonly turnedAway: number;
	readonly cancelledByClinic: number;
	/** Free times that could not be held at the end. */
	readonly wedged: number;
	readonly seconds: number;
};

const SLOTS = 2_400;
/** Patients at a time over HTTP, and straight to the use cases. */
const OVER_HTTP = 48;
const DIRECT = 24;
const HTTP_SHARE = 0.08;
/** Asked on top while too few faults have happened. */
const MORE = 1_000;
const REPLY_LOSS = 0.02;
const REQUEST_LOSS = 0.005;
/** One slot of a hundred is wanted by most. */
const HOT = 24;
const PROGRESS_EVERY_MS = 10_000;
/** An outcome that was lost is asked about every 30 s at the latest (W26). */
const SETTLE_MS = 150_000;

/** Every hold has ended and every booking is settled. */
const isQuiet = async ({ sql }: Stage): Promise<boolean> => {
	const [row] = await sql<{ open: number }[]>`
		select (select count(*) from holds where state in ('held', 'confirming'))::int
			+ (select count(*) from bookings where state in ('confirming', 'unconfirmed'))::int as open`;
	return must(row).open === 0;
};

/**
 * After the storm every free time can be held: no claim is left but those of bookings whose source
 * may still lag (K21).
 */
const countWedged = async (stage: Stage): Promise<number> => {
	const [row] = await stage.sql<{ wedged: number }[]>`
		select count(*)::int as wedged from slots s
		where s.status = 'free' and s.removed_at is null
			and live_claims(s.claim_untils, clock_timestamp()) >= s.remaining
			and not exists (select 1 from holds h where h.slot_id = s.id and h.state = 'booked'
				and h.fence = any (s.claim_fences) and isfinite(h.expires_at))`;
	return must(row).wedged;
};

/** Everything asked by any patient. */
const attemptsOf = (groups: readonly Patients[]): Attempt[] =>
	groups.flatMap(({ attempts }) => attempts);

const tellProgress = (groups: readonly Patients[], options: ChaosOptions): NodeJS.Timeout =>
	setInterval(() => {
		const done = attemptsOf(groups).length;
		options.onProgress?.(`${done} attempts (${Math.floor((done / options.attempts) * 100)} %)`);
	}, PROGRESS_EVERY_MS);

const createWays = ({ doors, postgres }: Stage, random: Random) => ({
	http: createHttpWay({ urls: doors.map(({ url }) => url), random, connections: OVER_HTTP }),
	direct: createDirectWay({
		databaseUrl: postgres.url,
		random,
		connections: DIRECT,
		holdTtlMs: HOLD_TTL_MS,
		replyLoss: REPLY_LOSS
	})
});

const storm = async (
	stage: Stage,
	groups: { readonly http: Patients; readonly direct: Patients },
	options: ChaosOptions
) => {
	const nemesis = startNemesis(stage, options.random);
	const progress = tellProgress(Object.values(groups), options);
	const run = (count: number): Promise<unknown> => {
		const overHttp = Math.ceil(count * HTTP_SHARE);
		return Promise.all([groups.http.run(overHttp), groups.direct.run(count - overHttp)]);
	};
	try {
		await run(options.attempts);
		// A run without faults does not count, however fast the machine.
		while (Math.min(...Object.values(nemesis.happened)) < options.faultsEach) await run(MORE);
	} finally {
		clearInterval(progress);
		await nemesis.stop();
		for (const door of stage.doors) door.heal();
	}
	return nemesis;
};

/** Runs it. Rejects when the system does not come to rest after the storm. */
export const runChaos = async (options: ChaosOptions): Promise<ChaosReport> => {
	const { random } = options;
	const startedAt = performance.now();
	await using stage = await createStage({
		random,
		slotCount: SLOTS,
		replyLoss: REPLY_LOSS,
		requestLoss: REQUEST_LOSS
	});
	const free = await stage.freeSlots();
	const slots = free.map(({ id }) => id);
	const hot = random.shuffle(slots).slice(0, HOT);
	const ways = createWays(stage, random);
	const http = createPatients({ way: ways.http, random, hot, slots, atOnce: OVER_HTTP });
	const direct = createPatients({ way: ways.direct, random, hot, slots, atOnce: DIRECT });
	try {
		const nemesis = await storm(stage, { http, direct }, options);
		options.onProgress?.('peace: waiting until every hold has ended and every booking is settled');
		await until(() => isQuiet(stage), { timeoutMs: SETTLE_MS, what: 'quiet after the storm' });
		const { history, expiries } = await readHistory(stage, attemptsOf([http, direct]), free);
		const verdict = checkLedger(history, expiries);
		return {
			...verdict,
			violations: [...verdict.violations, ...(await ledgerFaults(stage))],
			faults: nemesis.happened,
			overHttp: http.attempts.length,
			lostReplies: stage.doors.reduce((sum, door) => sum + door.lost.replies, 0),
			lostRequests: stage.doors.reduce((sum, door) => sum + door.lost.requests, 0),
			turnedAway: http.turnedAway() + direct.turnedAway(),
			cancelledByClinic: nemesis.cancelled(),
			wedged: await countWedged(stage),
			seconds: (performance.now() - startedAt) / 1_000
		};
	} finally {
		await Promise.all([ways.http.close(), ways.direct.close()]);
	}
};
