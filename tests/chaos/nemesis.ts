// What goes wrong while patients book: every process is killed or stopped, Redis is emptied, the
// clinic answers badly and its desk cancels visits. One fault at a time, each kind in turn.
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '#domain/result.ts';
import type { FaultRequest } from '../../demo/clinics/faults.ts';
import type { Random } from '../support/random.ts';
import type { TestProcess } from '../support/processes.ts';
import type { Stage } from './stage.ts';

export const faultNames = [
	'hub killed',
	'workers killed',
	'Postgres killed',
	'Redis killed',
	'hub stopped',
	'workers stopped',
	'clinic in trouble'
] as const;
export type FaultName = (typeof faultNames)[number];

export type Nemesis = {
	/** How often each fault really happened. */
	readonly happened: Readonly<Record<FaultName, number>>;
	/** Visits that the clinic's desk cancelled: their times come back. */
	readonly cancelled: () => number;
	/** Ends the faults and resolves when everything is up again. */
	stop(): Promise<void>;
};

const clinicTroubles: readonly FaultRequest[] = [
	{ kind: 'reply_lost', count: 4 },
	{ kind: 'http_500', count: 6 },
	{ kind: 'hang', forMs: 1_500 },
	{ kind: 'http_429', retryAfterS: 1, count: 4 },
	{ kind: 'invalid_json', count: 4 }
];

/** How long it is quiet between two faults, ms. */
const QUIET_MS = [2_000, 5_000] as const;
const DOWN_MS = [100, 900] as const;
/** Often longer than a hold: what was stopped wakes up in another time. */
const STOPPED_MS = [500, 2_500] as const;
const DESK_EVERY_MS = 250;

const pause = async (victim: TestProcess, ms: number): Promise<void> => {
	process.kill(victim.pid, 'SIGSTOP');
	await sleep(ms);
	process.kill(victim.pid, 'SIGCONT');
};

const actions = (stage: Stage, random: Random): Record<FaultName, () => Promise<void>> => {
	const downTime = (): Promise<void> => sleep(random.int(...DOWN_MS));
	return {
		'hub killed': async () => {
			const nr = random.int(0, stage.hubs.length - 1);
			await must(stage.hubs[nr]).kill('SIGKILL');
			await downTime();
			await stage.startHub(nr);
		},
		'workers killed': async () => {
			await stage.workers.kill('SIGKILL');
			await downTime();
			await stage.startWorkers();
		},
		'Postgres killed': async () => {
			process.kill(stage.postgres.pid, 'SIGKILL');
			await stage.postgres.exited;
			await downTime();
			await stage.startPostgres();
		},
		'Redis killed': async () => {
			await stage.redis.kill();
			await downTime();
			await stage.redis.revive();
		},
		'hub stopped': () => pause(random.pick(stage.hubs), random.int(...STOPPED_MS)),
		'workers stopped': () => pause(stage.workers, random.int(...STOPPED_MS)),
		'clinic in trouble': async () => {
			const trouble = random.pick(clinicTroubles);
			const clinic = random.pick(stage.clinics);
			clinic.setFault(trouble);
			await sleep(random.int(...STOPPED_MS));
			clinic.clearFault(trouble.kind);
		}
	};
};

/** Begins at once; patients' bookings are cancelled by the desk so that times come back. */
export const startNemesis = (stage: Stage, random: Random): Nemesis => {
	const happened = Object.fromEntries(faultNames.map((name) => [name, 0])) as Record<
		FaultName,
		number
	>;
	const doing = actions(stage, random);
	const ending = new AbortController();
	let cancelled = 0;

	const faults = async (): Promise<void> => {
		for (let turn = 0; !ending.signal.aborted; turn += 1) {
			const name = must(faultNames[turn % faultNames.length]);
			await doing[name]();
			happened[name] += 1;
			await sleep(random.int(...QUIET_MS), null, { signal: ending.signal }).catch(() => null);
		}
	};
	const desk = async (): Promise<void> => {
		while (!ending.signal.aborted) {
			const clinic = random.pick(stage.clinics);
			const standing = clinic.appointments().filter(({ status }) => status === 'booked');
			const victim = standing.length > 3 ? random.pick(standing) : undefined;
			if (victim !== undefined && clinic.cancelAppointment(victim.id)) cancelled += 1;
			await sleep(DESK_EVERY_MS);
		}
	};
	const running = Promise.all([faults(), desk()]);
	return {
		happened,
		cancelled: () => cancelled,
		stop: async () => {
			ending.abort();
			await running;
			for (const clinic of stage.clinics) clinic.setFault(null);
		}
	};
};
