// Moves the clinics' slots as time passes: life's chance, bursts asked for, days newly opened.
// Never touches a slot on which the clinic has an appointment.
import type { Clinic } from './clinic.ts';
import type { DueMove, LifeView, Move } from './life.ts';
import { stepLife } from './life.ts';
import type { Random } from './random.ts';
import { createRandom } from './random.ts';
import { slotsOf } from './sessions.ts';
import type { SlotPatch } from './slot-book.ts';
import { WINDOW_MS } from './world.ts';

export type BurstRequest = {
	/** How many slots at most. */
	count: number;
	/** Spread over this time; 0 is all at once. */
	overMs: number;
	/** fill: free slots are taken, soonest first; open: taken ones come back. */
	kind: 'fill' | 'open';
	/** Only this practitioner's schedule, or this specialty. */
	practitionerId?: string;
	specialtyId?: string;
};

export type Driver = {
	/**
	 * Lives up to `now` (UTC ms); returns how many slots moved. A world that is not `alive` only
	 * carries out bursts and lets holds lapse.
	 */
	step: (now: number, alive?: boolean) => number;
	/** Plans a burst; returns the ids it will move. */
	burst: (clinic: Clinic, request: BurstRequest) => string[];
	/** Steps by a timer until stopped. */
	start: (everyMs: number, alive: boolean) => void;
	stop: () => void;
};

type DriverOptions = {
	clinics: readonly Clinic[];
	seed: number;
	pace: number;
	/** True UTC ms. */
	now: () => number;
};

type Life = {
	clinic: Clinic;
	random: Random;
	people: LifeView['people'];
	due: DueMove[];
	horizonAt: number;
};

const SLICE_MS = 300_000;
const DAY_MS = 86_400_000;
const ELSEWHERE = 'elsewhere';
const HOLD_MOST_MS = 900_000;

const applyMove = (clinic: Clinic, { slotId, kind }: Move): boolean => {
	const slot = clinic.slots.get(slotId);
	if (slot === undefined || clinic.isKept(slotId)) return false;
	const isOurs = slot.status === 'busy-tentative' && slot.heldBy === ELSEWHERE;
	const isOpen = slot.status === 'free';
	const patch = (fits: boolean, change: SlotPatch): boolean =>
		fits && clinic.slots.patch(slotId, change).ok;
	if (kind === 'book') {
		const left = Math.max(0, slot.left - 1);
		return patch(isOpen || isOurs, isOpen && left > 0 ? { left } : { status: 'busy' });
	}
	if (kind === 'fill') return patch(isOpen || isOurs, { status: 'busy' });
	if (kind === 'hold') {
		const heldUntil = clinic.now() + HOLD_MOST_MS;
		return patch(isOpen, { status: 'busy-tentative', heldBy: ELSEWHERE, heldUntil });
	}
	if (kind === 'lapse') return patch(isOurs, { status: 'free' });
	if (kind === 'close') return patch(isOpen, { status: 'busy-unavailable' });
	const left = kind === 'open' ? slot.capacity : Math.min(slot.capacity, slot.left + 1);
	return patch(!isOpen && slot.status !== 'busy-tentative', { status: 'free', left });
};

/** A new day at the end of the window opens as time goes on; days gone by are forgotten. */
const rollWindow = (life: Life, seed: number, now: number): number => {
	life.clinic.slots.dropBefore(now);
	let added = 0;
	while (life.horizonAt < now + WINDOW_MS - DAY_MS / 2) {
		const span = { fromAt: life.horizonAt, toAt: life.horizonAt + DAY_MS };
		const fresh = life.clinic.organisation.practitioners.flatMap((person) =>
			slotsOf(person, span, seed, now)
		);
		added += life.clinic.slots.add(fresh);
		life.horizonAt = span.toAt;
	}
	return added;
};

const applyDue = (life: Life, now: number): number => {
	const due = life.due.filter((move) => move.at <= now);
	life.due = life.due.filter((move) => move.at > now);
	return due.filter((move) => applyMove(life.clinic, move)).length;
};

const liveSlice = (life: Life, options: DriverOptions, now: number, elapsedMs: number): number => {
	const { clinic, people, random } = life;
	const view: LifeView = {
		slots: clinic.slots.sorted(),
		people,
		isHot: clinic.organisation.profile.hot,
		isKept: clinic.isKept
	};
	const { moves, later } = stepLife(view, { now, elapsedMs, pace: options.pace, random });
	const moved = moves.filter((move) => applyMove(clinic, move)).length;
	life.due.push(...later);
	return moved + rollWindow(life, options.seed, now);
};

const chooseForBurst = (life: Life, request: BurstRequest, now: number): string[] =>
	life.clinic.slots
		.sorted()
		.filter((slot) => {
			const { practitionerId = slot.practitionerId, specialtyId } = request;
			if (slot.practitionerId !== practitionerId || slot.startAt <= now) return false;
			if (specialtyId !== undefined) {
				if (life.people.get(slot.practitionerId)?.specialtyId !== specialtyId) return false;
			}
			const fits = request.kind === 'fill' ? slot.status === 'free' : slot.status === 'busy';
			return fits && !life.clinic.isKept(slot.id);
		})
		.slice(0, request.count)
		.map((slot) => slot.id);

/** Creates the driver of a world's clinics. */
export const createDriver = (options: DriverOptions): Driver => {
	const root = createRandom(options.seed);
	const startAt = options.now();
	const lives: Life[] = options.clinics.map((clinic) => ({
		clinic,
		random: root.fork(`life ${clinic.organisation.profile.key}`),
		people: new Map(clinic.organisation.practitioners.map((person) => [person.id, person])),
		due: [],
		horizonAt: startAt + WINDOW_MS
	}));
	let livedTo = startAt;
	let timer: NodeJS.Timeout | null = null;
	const step = (now: number, alive = true): number => {
		let moved = 0;
		while (livedTo < now) {
			const elapsedMs = Math.min(SLICE_MS, now - livedTo);
			livedTo += elapsedMs;
			if (!alive) continue;
			for (const life of lives) moved += liveSlice(life, options, livedTo, elapsedMs);
		}
		for (const life of lives) moved += applyDue(life, now) + life.clinic.releaseLapsed();
		return moved;
	};
	const stop = (): void => {
		if (timer !== null) clearInterval(timer);
		timer = null;
	};
	return {
		step,
		burst: (clinic, request) => {
			const life = lives.find((each) => each.clinic === clinic);
			if (life === undefined) return [];
			const now = options.now();
			const chosen = chooseForBurst(life, request, now);
			const kind = request.kind === 'fill' ? 'fill' : 'open';
			const gapMs = request.overMs / Math.max(1, chosen.length);
			for (const [turn, slotId] of chosen.entries()) {
				life.due.push({ slotId, kind, at: Math.round(now + gapMs * turn) });
			}
			applyDue(life, now);
			return chosen;
		},
		start: (everyMs, alive) => {
			stop();
			timer = setInterval(() => step(options.now(), alive), everyMs);
			timer.unref();
		},
		stop
	};
};
