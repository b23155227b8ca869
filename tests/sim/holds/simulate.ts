// One life of the machine, from its seed: everybody acts in virtual time, then all calms down, and what
// is left must be whole.
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { place } from './holds.ts';
import { compareRow, sawPlace, sawPoll } from './ledger.ts';
import { addDevice } from './model.ts';
import { actAsPerson, createPerson, type Aims } from './people.ts';
import { commitPoll, diffOf } from './poll.ts';
import * as staff from './staff.ts';
import { createTown, noRaces, readListing, type Races, type Town } from './town.ts';

const WRITERS = 2;
/** Virtual. */
const LIFE_MS = 15 * HOUR_MS;

type Actor = () => number;

const createActors = (town: Town): Actor[] => {
	const { model } = town;
	const aims: Aims = [];
	const people = model.devices.map((device) => createPerson(device));
	const due: staff.Due = new Map();
	const writers: staff.Writer[] = Array.from({ length: WRITERS }, () => ({
		booking: null,
		asking: { attempts: 0, round: 0 },
		answer: null
	}));
	// Two at each source, so that a slow poll meets a newer one.
	const polls: staff.Poll[] = [...model.sources, ...model.sources].map((source) => ({
		source,
		gen: null,
		listing: null,
		changes: []
	}));
	return [
		...people.map((person) => () => actAsPerson(town, person, aims)),
		...writers.map((writer) => () => staff.actAsWriter(town, writer, due)),
		...polls.map((poll) => () => staff.actAsPoller(town, poll)),
		() => staff.actAsSweeper(town),
		() => staff.actAsOfferer(town),
		() => staff.actAsDesk(town),
		() => staff.actAsClock(town)
	];
};

const play = (town: Town, actors: readonly Actor[], until: number): void => {
	const { agenda, model } = town;
	while (model.now < until) {
		const who = agenda.next();
		const actor = actors[who];
		if (actor === undefined) throw new Error('nobody acts');
		model.now = Math.max(model.now, agenda.at);
		agenda.add(actor(), who);
	}
};

const demand = (holds: boolean, broken: string): void => {
	if (!holds) throw new Error(broken);
};

/** After the storm: the clinics' books and ours agree, and no free time is wedged. */
const checkEnd = (town: Town): void => {
	const { model, ledger, desks } = town;
	for (const { slot, ours, struck } of desks) {
		compareRow(ledger, slot);
		for (const booking of slot.bookings) {
			const { state } = booking;
			demand(state !== 'confirming' && state !== 'unconfirmed', 'an outcome stayed unknown');
			const isThere = ours.has(booking);
			if (state === 'rejected' || state === 'cancelled')
				demand(!isThere, 'a visit nobody knows of');
			if (state === 'booked') demand(isThere || struck.has(booking), 'a visit the clinic misses');
		}
	}
	for (const booking of ledger.acknowledged) {
		demand(booking.state === 'booked', 'an acknowledged visit vanished');
	}
	for (const source of model.sources) {
		source.pollingUntil = 0;
		source.pollGen += 1;
		source.pollStartedAt = model.now;
		const listing = readListing(town, source);
		const poll = { gen: source.pollGen, listing, changes: diffOf(model, listing) };
		demand(commitPoll(model, source, poll), 'a poll without a rival was refused');
		sawPoll(ledger, listing);
	}
	for (const slot of model.slots) {
		for (let left = slot.remaining; left >= 0; left -= 1) {
			const asked = { device: addDevice(model), slot, request: (town.requests += 1) };
			ledger.grants.set(asked.device, []);
			// Taken or granted, the ledger knows whether it had to be.
			sawPlace(ledger, asked, place(model, asked));
			town.operations += 1;
		}
	}
};

/** Plays one life; throws what was broken, with the seed that shows it again. */
export const playLife = (seed: number): Town => {
	const town = createTown(seed);
	try {
		const actors = createActors(town);
		actors.forEach((_, who) => town.agenda.add(town.random.int(0, MINUTE_MS), who));
		play(town, actors, LIFE_MS);
		town.isCalm = true;
		play(town, actors, LIFE_MS + 2 * HOUR_MS);
		// Those that were asked for in the last moments.
		for (let more = 0; town.unsettled.size > 0 && more < 50; more += 1) {
			play(town, actors, town.model.now + 2 * MINUTE_MS);
		}
		checkEnd(town);
	} catch (error) {
		const what = error instanceof Error ? error.message : String(error);
		const where = `seed ${seed}, operation ${town.operations}, ${town.model.now} ms`;
		throw new Error(`${what} (${where})`, { cause: error });
	}
	return town;
};

export type Figures = {
	readonly lives: number;
	readonly operations: number;
	readonly seconds: number;
	readonly races: Races;
};

/** Lives from `seed` on, one seed after the other, until there were so many operations. */
export const simulate = async (seed: number, operations: number): Promise<Figures> => {
	const races: Races = { ...noRaces };
	const startedAt = performance.now();
	let done = 0;
	let lives = 0;
	while (done < operations) {
		const town = playLife(seed + lives);
		lives += 1;
		done += town.operations;
		for (const name of Object.keys(races) as (keyof Races)[]) races[name] += town.races[name];
		// The test runner wants to be heard of now and then.
		if (lives % 20 === 0) await new Promise(setImmediate);
	}
	return { lives, operations: done, seconds: (performance.now() - startedAt) / 1_000, races };
};

export const textOf = ({ lives, operations, seconds, races }: Figures): string =>
	[
		`${operations.toLocaleString('en-US')} operations in ${lives} lives, ${seconds.toFixed(1)} s,`,
		`${Math.round(operations / seconds).toLocaleString('en-US')} a second`,
		...Object.entries(races).map(([name, count]) => `\n  ${name}: ${count.toLocaleString('en-US')}`)
	].join(' ');
