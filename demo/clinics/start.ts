// Starts the simulated clinics: one HTTP server each on 127.0.0.1 and one for control. They know
// nothing of the hub. Also a process: `node demo/clinics/start.ts --seed 1 --port-base 7100`.
import { parseArgs } from 'node:util';
import { createClinic, type Clinic } from './clinic.ts';
import { createControl } from './control.ts';
import { createDriver } from './driver.ts';
import type { Handler } from './exchange.ts';
import { createFaults, type Faults } from './faults.ts';
import { createFhirHandler } from './fhir/server.ts';
import { createLinksHandler } from './links/server.ts';
import { loadState, saveState } from './memory.ts';
import type { Opened, RunningClinic } from './running.ts';
import { toRunning } from './running.ts';
import { createServed } from './serve.ts';
import { formats } from './small/formats.ts';
import { officeOf } from './small/practice.ts';
import type { Organisation } from './world.ts';
import { createWorld } from './world.ts';

export type { ClinicTruth, RunningClinic } from './running.ts';

export type ClinicOptions = {
	seed?: number;
	/** UTC ms where the world's 14 days and its clock begin; now when absent. */
	startAt?: number;
	/** 1 to 12; all when absent. */
	organisations?: number;
	/** Only these organisations (keys of profiles.ts). */
	keys?: readonly string[];
	/** Also the small practices, each of a kind that the others do not speak. */
	practices?: boolean;
	/** Slots of all together but the practices; 40,000 when absent. */
	slotCount?: number;
	/** Control listens here, the clinics on the ports after it; 0 takes free ones. */
	portBase?: number;
	/** Slots move by themselves. */
	live?: boolean;
	/** How much faster than life slots move, 1 = as in life. */
	pace?: number;
	/** A clock to use instead of the running one, UTC ms. */
	clock?: () => number;
	/** Keeps appointments and statuses here over a restart. */
	stateFolder?: string;
};

export type RunningClinics = {
	clinics: RunningClinic[];
	controlUrl: string;
	/** The world's true clock, UTC ms. */
	now: () => number;
	/** Moves the clock on and lives through that time; returns how many slots moved. */
	step: (ms: number) => number;
	close: () => Promise<void>;
};

/** Slots move this often in a live world. */
const TICK_MS = 250;
/** One clinic of the world is saved this often, in turn. */
const SAVE_MS = 1000;

type Speaking = { handler: Handler; close: () => void };

const handlerOf = (clinic: Clinic, faults: Faults, baseUrl: () => string): Speaking => {
	const { speaks } = clinic.organisation.profile;
	const close = (): void => {};
	switch (speaks.kind) {
		case 'fhir-slots':
			return createFhirHandler(clinic, speaks, faults);
		case 'smart-scheduling-links':
			return { handler: createLinksHandler(clinic, speaks, baseUrl), close };
		default:
			return { handler: formats[speaks.format].handler(officeOf(clinic)), close };
	}
};

const openClinic = async (
	organisation: Organisation,
	trueNow: () => number,
	port: number,
	stateFolder: string | undefined
): Promise<Opened> => {
	const faults = createFaults(trueNow);
	const now = (): number => trueNow() + faults.skewMs();
	const clinic = createClinic(organisation, now);
	if (stateFolder !== undefined) loadState(stateFolder, clinic);
	let baseUrl = '';
	const { handler, close } = handlerOf(clinic, faults, () => baseUrl);
	const served = await createServed({ handler, faults, now, port });
	baseUrl = served.url;
	const closeServed = async (): Promise<void> => {
		close();
		await served.close();
	};
	return { clinic, faults, served: { ...served, close: closeServed } };
};

const closeAll = async (opened: readonly Opened[]): Promise<void> => {
	await Promise.all(opened.map(({ served }) => served.close()));
};

/** Opens all, or closes those that opened and rejects. */
const openAll = async (
	organisations: readonly Organisation[],
	open: (organisation: Organisation, at: number) => Promise<Opened>
): Promise<Opened[]> => {
	const results = await Promise.allSettled(organisations.map(open));
	const opened = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
	const failed = results.find((each) => each.status === 'rejected');
	if (failed === undefined) return opened;
	await closeAll(opened);
	throw failed.reason;
};

const saveAll = (folder: string | undefined, opened: readonly Opened[]): void => {
	if (folder === undefined) return;
	for (const { clinic } of opened) saveState(folder, clinic);
};

/** Starts the clinics of a seed. Rejects when a port is taken. */
export const startClinics = async (options: ClinicOptions = {}): Promise<RunningClinics> => {
	const { seed = 1, startAt = Date.now(), portBase = 0, live = false, pace = 1 } = options;
	const bootedAt = Date.now();
	let steppedMs = 0;
	const now = options.clock ?? ((): number => startAt + Date.now() - bootedAt + steppedMs);
	const world = createWorld({ ...options, seed, startAt });
	const opened = await openAll(world.organisations, (organisation, at) =>
		openClinic(organisation, now, portBase === 0 ? 0 : portBase + 1 + at, options.stateFolder)
	);
	const clinicsOnly = opened.map(({ clinic }) => clinic);
	const driver = createDriver({ clinics: clinicsOnly, seed, pace, now });
	const clinics = opened.map((each) =>
		toRunning(each, (request) => driver.burst(each.clinic, request))
	);
	const step = (ms: number): number => {
		steppedMs += ms;
		return driver.step(now());
	};
	const control = await createControl({ clinics, step, now, port: portBase }).catch(
		async (error: unknown) => {
			await closeAll(opened);
			throw error;
		}
	);
	let turn = 0;
	const saver = setInterval(() => {
		turn += 1;
		saveAll(options.stateFolder, opened.slice(turn % opened.length, (turn % opened.length) + 1));
	}, SAVE_MS);
	saver.unref();
	driver.start(TICK_MS, live);
	return {
		clinics,
		controlUrl: control.url,
		now,
		step,
		close: async () => {
			driver.stop();
			clearInterval(saver);
			saveAll(options.stateFolder, opened);
			await Promise.all([control.close(), closeAll(opened)]);
		}
	};
};

const runAsProcess = async (): Promise<void> => {
	const { values } = parseArgs({
		options: {
			seed: { type: 'string', default: '1' },
			'port-base': { type: 'string', default: '7100' },
			organisations: { type: 'string' },
			slots: { type: 'string' },
			pace: { type: 'string', default: '20' },
			still: { type: 'boolean', default: false },
			'state-folder': { type: 'string' }
		}
	});
	const running = await startClinics({
		seed: Number(values.seed),
		portBase: Number(values['port-base']),
		pace: Number(values.pace),
		live: !values.still,
		...(values.organisations !== undefined && { organisations: Number(values.organisations) }),
		...(values.slots !== undefined && { slotCount: Number(values.slots) }),
		...(values['state-folder'] !== undefined && { stateFolder: values['state-folder'] })
	});
	const ready = {
		ready: true,
		controlUrl: running.controlUrl,
		clinics: running.clinics.map(({ key, name, kind, url, operatorNotes }) => ({
			key,
			name,
			kind,
			url,
			operatorNotes
		}))
	};
	process.stdout.write(`${JSON.stringify(ready)}\n`);
	const stop = (): void => {
		void running.close().then(() => process.exit(0));
	};
	process.once('SIGTERM', stop);
	process.once('SIGINT', stop);
};

if (import.meta.main) await runAsProcess();
