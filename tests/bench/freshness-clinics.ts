// The clinics of the live comparison: many small worlds of the demo, from hectic to asleep, that live by
// themselves and, some of them, release batches that are soon gone. What they did is written down, and
// who asked how often is counted at their doors.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { SourceSettings } from '#domain/source.ts';
import { HOUR_MS } from '#domain/time.ts';
import { hourOfWeek } from '../../demo/clinics/life.ts';
import { createRandom, type Random } from '../../demo/clinics/random.ts';
import { startClinics, type RunningClinic, type RunningClinics } from '../../demo/clinics/start.ts';
import { sourceOf } from '../../demo/launch/publishers.ts';
import type { Timeline } from './freshness-figures.ts';

/**
 * Each world has the same eight clinics with other people. Slots of one clinic, and how much faster than
 * life: rates go with their product, and a world that is too fast for its size would run out of slots.
 */
const worlds = [
	{ slots: 300, pace: 14 },
	{ slots: 200, pace: 10 },
	{ slots: 120, pace: 8 },
	{ slots: 80, pace: 6 },
	{ slots: 60, pace: 4 },
	{ slots: 60, pace: 2 },
	{ slots: 60, pace: 1 },
	{ slots: 60, pace: 0.3 }
] as const;

/** Publishers whose max-age is far above the intervals of a few minutes' run are left out. */
const keys = [
	'larkspur-valley',
	'prairie-lantern',
	'copper-mesa',
	'cedar-harbor',
	'bluestem',
	'tidewater-rural',
	'islands-path',
	'quiet-ridge'
];

const RELEASING_SHARE = 0.3;
const RELEASE_EVERY_MS = 300_000;
const RELEASE_MOST = 15;
const TAKEN_SHARE = 0.75;
const TAKEN_AFTER_MS = 30_000;

export type LivingClinic = {
	readonly key: string;
	readonly settings: SourceSettings;
	/** By slot id, all that happened so far. */
	readonly truth: () => ReadonlyMap<string, Timeline>;
};

export type LivingClinics = {
	readonly clinics: readonly LivingClinic[];
	/** Requests so far of those whose User-Agent holds this text. */
	readonly requestsOf: (agent: string) => number;
	readonly close: () => Promise<void>;
};

/** Slots that begin soon leave the calendar by themselves: they are left out. */
const SOON_MS = HOUR_MS;

const writeDown = (clinic: RunningClinic): (() => ReadonlyMap<string, Timeline>) => {
	const from = Date.now() + SOON_MS;
	const lines = new Map<string, { at: number; open: boolean }[]>();
	const note = (id: string, at: number, open: boolean): void => {
		const line = lines.get(id);
		if (line === undefined) lines.set(id, [{ at, open }]);
		else if (line.at(-1)?.open !== open) line.push({ at, open });
	};
	for (const { id, status, startAt } of clinic.truth().slots) {
		if (startAt > from) note(id, 0, status === 'free');
	}
	// By the machine's clock, as the database: the clinic's own is a little behind.
	clinic.listen(({ kind, slot }) => {
		if (slot.startAt > from)
			note(slot.id, Date.now(), kind === 'changed' && slot.status === 'free');
	});
	return () => lines;
};

const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.next());

/** Batches at moments that nobody can learn: a few minutes hold no habits. Returns how to stop. */
const release = (clinic: RunningClinic, random: Random): (() => void) => {
	const timers = new Set<NodeJS.Timeout>();
	const later = (work: () => void, ms: number): void => {
		const timer = setTimeout(() => {
			timers.delete(timer);
			work();
		}, ms);
		timers.add(timer);
	};
	const once = (): void => {
		const count = 1 + random.int(RELEASE_MOST);
		for (const id of clinic.burst({ count, overMs: 0, kind: 'open' })) {
			if (!random.chance(TAKEN_SHARE)) continue;
			later(() => clinic.setSlotStatus(id, 'busy'), exponential(random, TAKEN_AFTER_MS));
		}
		later(once, exponential(random, RELEASE_EVERY_MS));
	};
	later(once, exponential(random, RELEASE_EVERY_MS));
	return () => {
		for (const timer of timers) clearTimeout(timer);
	};
};

/** Counts what arrives at the clinics' own servers, which run in this process. */
const countRequests = (clinics: readonly RunningClinic[]) => {
	const ports = new Set(clinics.map(({ url }) => Number(new URL(url).port)));
	const counts = new Map<string, number>();
	const count = (message: unknown): void => {
		const { request } = message as { request: IncomingMessage };
		if (!ports.has(request.socket.localPort ?? 0)) return;
		const agent = request.headers['user-agent'] ?? '';
		counts.set(agent, (counts.get(agent) ?? 0) + 1);
	};
	subscribe('http.server.request.start', count);
	return {
		of: (text: string): number =>
			[...counts].reduce((sum, [agent, n]) => sum + (agent.includes(text) ? n : 0), 0),
		close: () => unsubscribe('http.server.request.start', count)
	};
};

const settingsOf = (clinic: RunningClinic, key: string): SourceSettings =>
	SourceSettings.parse({ ...sourceOf(clinic), key, name: `${clinic.name}, ${key}` });

export const startLivingClinics = async (seed: number): Promise<LivingClinics> => {
	const startAt = Date.now();
	// The demo's people sleep at night; a benchmark has the same hour whenever it is run.
	const lively = hourOfWeek('America/Chicago', startAt);
	const running: RunningClinics[] = [];
	for (const [nth, { slots, pace }] of worlds.entries()) {
		running.push(
			await startClinics({
				seed: seed * 100 + nth,
				startAt,
				keys,
				slotCount: slots * keys.length,
				live: true,
				pace: pace / lively
			})
		);
	}
	const random = createRandom(seed);
	const all = running.flatMap(({ clinics }, nth) =>
		clinics.map((clinic) => ({ clinic, key: `${clinic.key}-${nth}` }))
	);
	const clinics = all.map(({ clinic, key }) => ({
		key,
		settings: settingsOf(clinic, key),
		truth: writeDown(clinic)
	}));
	const counter = countRequests(all.map(({ clinic }) => clinic));
	const stops = all.flatMap(({ clinic, key }) => {
		const own = random.fork(key);
		return own.chance(RELEASING_SHARE) ? [release(clinic, own)] : [];
	});
	return {
		clinics,
		requestsOf: counter.of,
		close: async () => {
			for (const stop of stops) stop();
			counter.close();
			await Promise.all(running.map((one) => one.close()));
		}
	};
};
