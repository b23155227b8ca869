// Who is polled in the demo: the simulated clinics, or recorded publications served again.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SourceSettings } from '#domain/source.ts';
import { DAY_MS } from '#domain/time.ts';
import type { Instant } from '#domain/time.ts';
import { startClinics } from '../clinics/start.ts';
import type { RunningClinic } from '../clinics/start.ts';
import { makeFolder } from '../../ops/embedded/paths.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';
import { areFree } from './port.ts';
import { practiceSettings } from './practice-sources.ts';

export type Publishers = {
	sources: SourceSettings[];
	/** Empty when nothing can be steered. */
	controlUrl: string;
	/** Recorded publications: the clock each was recorded by, by key. */
	replayNow: ReadonlyMap<string, Instant>;
	close: () => Promise<void>;
};

type Options = {
	folder: string;
	replay: string | undefined;
	say: (line: string) => void;
};

/** Clinics keep their ports from start to start, so that the links kept with their times work. */
const PORT_BASE = 7_100;
const PORTS = 17;
/** People book elsewhere this much faster than in life, so that something happens to watch. */
const PACE = 20;
const SEED = 1;
const FHIR_INTERVAL_MS = 3_000;

/** The settings that follow from what it speaks. */
const settingsOf = (clinic: RunningClinic) => {
	const { speaks } = clinic.organisation.profile;
	if ('takesBookings' in speaks) return practiceSettings(clinic, speaks);
	const isFhir = speaks.kind === 'fhir-slots';
	const minIntervalMs = isFhir ? FHIR_INTERVAL_MS : speaks.maxAgeS * 1_000;
	const booking = isFhir ? ('fhir' as const) : ('link' as const);
	return { minIntervalMs, freshForMs: 2 * minIntervalMs + 30_000, booking };
};

/** What an operator would enter for this clinic; only facts that hold for everyone there. */
export const sourceOf = (clinic: RunningClinic): SourceSettings => {
	const known = clinic.operatorNotes;
	const { notes, ...settings } = { notes: {}, ...settingsOf(clinic) };
	return SourceSettings.parse({
		...settings,
		key: clinic.key,
		name: clinic.name,
		kind: clinic.kind,
		url: clinic.url,
		notes: {
			organizationName: clinic.name,
			zone: known.timeZone,
			phone: known.phone,
			...(known.holdsForAll && {
				regions: [...known.regions],
				kinds: [...known.visitKinds],
				languages: [...known.languages],
				planIds: [...known.planTypes]
			}),
			...notes
		},
		allowPrivate: true
	});
};

const openClinics = async ({ folder, say }: Options): Promise<Publishers> => {
	const portBase = (await areFree(PORT_BASE, PORTS)) ? PORT_BASE : 0;
	const stateFolder = makeFolder(join(folder, 'clinics'), 0o700);
	const running = await startClinics({
		seed: SEED,
		practices: true,
		portBase,
		live: true,
		pace: PACE,
		stateFolder
	});
	const people = running.clinics.flatMap(({ organisation }) => organisation.practitioners);
	const slots = running.clinics.flatMap(({ organisation }) => organisation.slots);
	say(
		`${running.clinics.length} simulated clinics with ${people.length} practitioners and ${slots.length.toLocaleString('en')} times`
	);
	return {
		sources: running.clinics.map(sourceOf),
		controlUrl: running.controlUrl,
		replayNow: new Map(),
		close: running.close
	};
};

const openReplay = async (folder: string, say: (line: string) => void): Promise<Publishers> => {
	if (!existsSync(folder)) {
		throw new PlainError(`There is no folder ${folder}: name one with recorded publications.`);
	}
	const { startReplay } = await import('../replay.ts');
	const replay = await startReplay(folder);
	say(`${replay.sources.length} recorded publications from ${folder}`);
	// Recorded once, read once: the workers must not look again by today's clock.
	const sources = replay.sources.map((source) => ({ ...source, minIntervalMs: DAY_MS }));
	return { ...replay, sources, controlUrl: '' };
};

/** Starts the publishers; the sources are what the hub is told of them. */
export const openPublishers = (options: Options): Promise<Publishers> =>
	options.replay === undefined ? openClinics(options) : openReplay(options.replay, options.say);
