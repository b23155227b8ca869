// Generated commands against a model (fast-check's commands), and generated orders of many at once
// (its scheduler): holds, bookings, closings, the waiting list and its offers.
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeviceKey, HoldId, ScheduleId, SlotId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { offerTimes } from '#server/scheduling/offer-times.ts';
import {
	createWorld,
	makeConfirm,
	makeDevice,
	makePatient,
	makeQuery,
	makeRequest,
	type World
} from './world.ts';

const MOST_LIVE = 2;
const MOST_VISITS = 2;
const CAPACITIES = [1, 3, 2] as const;
const DEVICES = 4;

let world: World;
beforeAll(async () => {
	world = await createWorld({
		config: {
			holdTtlMs: 300_000,
			maxHoldsPerDevice: MOST_LIVE,
			maxHoldsPerHour: 1_000,
			maxVisitsPerPerson: MOST_VISITS
		}
	});
});
afterAll(() => world.close());

type Held = { readonly device: number; readonly slot: number; readonly id: HoldId };

/** What should be: claims are holds and bookings, each of them one place of its slot. */
type Model = {
	isClosed: boolean;
	held: Held[];
	booked: Held[];
	/** Devices in line, the first first; `offered` = the hold that is kept for it. */
	line: { device: number; offered: HoldId | null; passed: number[] }[];
};

type Real = {
	readonly source: SourceId;
	readonly schedule: ScheduleId;
	readonly slots: readonly SlotId[];
	readonly devices: readonly DeviceKey[];
	/** The person for whom each device books: two devices book for one. */
	readonly people: readonly string[];
};

let lives = 0;
const begin = async (): Promise<{ model: Model; real: Real }> => {
	lives += 1;
	await world.sql`truncate waiting_entries cascade`;
	const source = await world.addSource();
	const schedule = await world.addSchedule(source, { rooms: [] });
	const slots: SlotId[] = [];
	for (const capacity of CAPACITIES) slots.push(await world.addSlot(schedule, { capacity }));
	const devices = Array.from({ length: DEVICES }, makeDevice);
	const people = devices.map((_, at) => `Life ${lives} person ${Math.floor(at / 2)}`);
	const model: Model = { isClosed: false, held: [], booked: [], line: [] };
	return { model, real: { source, schedule, slots, devices, people } };
};

const claimsOn = ({ held, booked }: Model, slot: number): number =>
	[...held, ...booked].filter((each) => each.slot === slot).length;
const liveOf = ({ held }: Model, device: number): number =>
	held.filter((each) => each.device === device).length;
const visitsFor = ({ booked }: Model, { people }: Real, device: number): number =>
	booked.filter((each) => people[each.device] === people[device]).length;

type Run = fc.AsyncCommand<Model, Real>;
type Place = { readonly device: number; readonly slot: number };

const nameOf = (word: string, more: object = {}): string => `${word} ${JSON.stringify(more)}`;

class PlaceHold implements Run {
	readonly at: Place;
	constructor(at: Place) {
		this.at = at;
	}
	check = () => true;
	toString = () => nameOf('hold', this.at);
	#expected(model: Model): string {
		const { device, slot } = this.at;
		if (model.isClosed) return 'slot_gone';
		if (liveOf(model, device) >= MOST_LIVE) return 'hold_limit';
		return claimsOn(model, slot) < must(CAPACITIES[slot]) ? 'granted' : 'slot_taken';
	}
	async run(model: Model, { devices, slots }: Real): Promise<void> {
		const { device, slot } = this.at;
		const expected = this.#expected(model);
		const asked = { slotId: must(slots[slot]), requestId: makeRequest() };
		const placed = await world.api.placeHold(must(devices[device]), asked);
		expect(placed.ok ? 'granted' : placed.reason).toBe(expected);
		if (placed.ok) model.held.push({ device, slot, id: placed.value.id });
	}
}

/** Leaves the line with what was offered: booked, or let go and not offered again. */
const answer = (model: Model, { id, slot }: Held, isBooked: boolean): void => {
	const entry = model.line.find(({ offered }) => offered === id);
	if (entry === undefined) return;
	if (isBooked) model.line = model.line.filter((each) => each !== entry);
	else Object.assign(entry, { offered: null, passed: [...entry.passed, slot] });
};

class LetGo implements Run {
	readonly nr: number;
	constructor(nr: number) {
		this.nr = nr;
	}
	check = ({ held }: Model) => held.length > 0;
	toString = () => nameOf('let go', { nr: this.nr });
	async run(model: Model, { devices }: Real): Promise<void> {
		const one = must(model.held[this.nr % model.held.length]);
		const done = await world.api.releaseHold(must(devices[one.device]), one.id);
		expect(done.ok).toBe(true);
		model.held = model.held.filter((each) => each !== one);
		answer(model, one, false);
	}
}

class Confirm implements Run {
	readonly nr: number;
	constructor(nr: number) {
		this.nr = nr;
	}
	check = ({ held }: Model) => held.length > 0;
	toString = () => nameOf('confirm', { nr: this.nr });
	async run(model: Model, real: Real): Promise<void> {
		const one = must(model.held[this.nr % model.held.length]);
		const patient = makePatient({ familyName: must(real.people[one.device]) });
		const isFull = visitsFor(model, real, one.device) >= MOST_VISITS;
		const device = must(real.devices[one.device]);
		const made = await world.api.confirmBooking(device, makeConfirm(one.id, { patient }));
		expect(made.ok ? 'ok' : made.reason).toBe(isFull ? 'visit_limit' : 'ok');
		if (!made.ok) return;
		model.held = model.held.filter((each) => each !== one);
		model.booked.push(one);
	}
}

class Close implements Run {
	readonly isClosing: boolean;
	constructor(isClosing: boolean) {
		this.isClosing = isClosing;
	}
	check = () => true;
	toString = () => (this.isClosing ? 'close' : 'open');
	async run(model: Model, { source, schedule }: Real): Promise<void> {
		const closing = this.isClosing ? 'off' : null;
		expect(await world.api.clinicSchedules.close(source, schedule, closing)).toMatchObject({
			ok: true
		});
		model.isClosed = this.isClosing;
	}
}

class Join implements Run {
	readonly device: number;
	constructor(device: number) {
		this.device = device;
	}
	check = ({ line }: Model) => !line.some(({ device }) => device === this.device);
	toString = () => nameOf('join', { device: this.device });
	async run(model: Model, { devices, schedule }: Real): Promise<void> {
		const { specialty, region, zone, plan, language, dayPart } = makeQuery();
		const joined = await world.api.joinWaiting(must(devices[this.device]), {
			requestId: makeRequest(),
			specialty,
			region,
			zone,
			plan,
			language,
			dayPart,
			kinds: [],
			scheduleId: schedule
		});
		expect(joined.ok).toBe(true);
		model.line.push({ device: this.device, offered: null, passed: [] });
	}
}

class Offer implements Run {
	check = () => true;
	toString = () => 'offer';
	async run(model: Model, { devices, slots }: Real): Promise<void> {
		const made = await offerTimes(world)();
		for (const one of model.booked) answer(model, one, true);
		for (const entry of model.line) {
			if (entry.offered !== null || model.isClosed) continue;
			const slot = CAPACITIES.findIndex(
				(capacity, at) => claimsOn(model, at) < capacity && !entry.passed.includes(at)
			);
			if (slot < 0) continue;
			const offer = made.find(({ device }) => device === devices[entry.device]);
			const held = await world.api.readHold(must(devices[entry.device]), must(offer).holdId);
			expect(held).toMatchObject({ ok: true, value: { slotId: slots[slot], state: 'held' } });
			model.held.push({ device: entry.device, slot, id: must(offer).holdId });
			entry.offered = must(offer).holdId;
		}
		const offered = model.line.filter(({ offered: id }) => made.some((each) => each.holdId === id));
		expect(made).toHaveLength(offered.length);
	}
}

/** The board shows what the model says, and no slot has more claims than places. */
class Look implements Run {
	check = () => true;
	toString = () => 'look';
	async run(model: Model, { slots }: Real): Promise<void> {
		for (const [at, slotId] of slots.entries()) {
			const view = await world.api.readSlot(slotId, null);
			const left = must(CAPACITIES[at]) - claimsOn(model, at);
			const isOpen = left > 0 && !model.isClosed;
			expect(view.ok && view.value.slot[4] === 1).toBe(isOpen);
		}
	}
}

const device = fc.nat({ max: DEVICES - 1 });
const place = fc.record({ device, slot: fc.nat({ max: CAPACITIES.length - 1 }) });
const commands = fc.commands(
	[
		place.map((at) => new PlaceHold(at)),
		place.map((at) => new PlaceHold(at)),
		fc.nat({ max: 9 }).map((nr) => new LetGo(nr)),
		fc.nat({ max: 9 }).map((nr) => new Confirm(nr)),
		fc.boolean().map((isClosing) => new Close(isClosing)),
		device.map((one) => new Join(one)),
		fc.constant(new Offer()),
		fc.constant(new Look())
	],
	{ maxCommands: 40 }
);

const RUNS = 60;

test('[Z20] whatever commands come in whatever order, the hub answers as its model', async () => {
	const property = fc.asyncProperty(commands, async (some) => {
		const life = await begin();
		await fc.asyncModelRun(() => life, some);
	});
	await fc.assert(property, { numRuns: RUNS });
}, 300_000);

test('[Z20] in whatever order calls of many people meet, places, limits and refusals hold', async () => {
	const wishes = fc.array(
		fc.record({ device, slot: fc.nat({ max: 2 }), ends: fc.nat({ max: 2 }) }),
		{
			minLength: 2,
			maxLength: 8
		}
	);
	const property = fc.asyncProperty(fc.scheduler(), wishes, async (scheduler, list) => {
		const { real } = await begin();
		const hold = scheduler.scheduleFunction(world.api.placeHold);
		const confirm = scheduler.scheduleFunction(world.api.confirmBooking);
		const letGo = scheduler.scheduleFunction(world.api.releaseHold);
		const live = async (wish: (typeof list)[number]): Promise<string> => {
			const who = must(real.devices[wish.device]);
			const slotId = must(real.slots[wish.slot]);
			const held = await hold(who, { slotId, requestId: makeRequest() });
			if (!held.ok) return held.reason;
			if (wish.ends === 0) return 'held';
			if (wish.ends === 1) return (await letGo(who, held.value.id)).ok ? 'let go' : 'lost';
			const patient = makePatient({ familyName: must(real.people[wish.device]) });
			const made = await confirm(who, makeConfirm(held.value.id, { patient }));
			return made.ok ? 'booked' : made.reason;
		};
		const all = Promise.all(list.map(live));
		await scheduler.waitFor(all);
		const ends = await all;
		const known = ['held', 'let go', 'booked', 'slot_taken', 'hold_limit', 'visit_limit'];
		expect(ends.filter((end) => !known.includes(end))).toEqual([]);
		const rows = await world.sql<{ claims: number; capacity: number }[]>`
			select live_claims(claim_untils, clock_timestamp()) as claims, capacity from slots
			where id = any (${[...real.slots]}::bigint[]) order by starts_at`;
		for (const [at, { claims, capacity }] of rows.entries()) {
			const kept = ends.filter(
				(end, nr) => list[nr]?.slot === at && ['held', 'booked', 'visit_limit'].includes(end)
			);
			expect(claims).toBe(kept.length);
			expect(claims).toBeLessThanOrEqual(capacity);
			const isRefused = ends.some((end, nr) => list[nr]?.slot === at && end === 'slot_taken');
			const wished = list.filter(({ slot }) => slot === at).length;
			// Nobody is told "taken" where there were places for all who came.
			if (wished <= capacity) expect(isRefused).toBe(false);
		}
		for (const person of new Set(real.people)) {
			const visits = ends.filter(
				(end, nr) => end === 'booked' && real.people[list[nr]?.device ?? -1] === person
			);
			expect(visits.length).toBeLessThanOrEqual(MOST_VISITS);
		}
	});
	await fc.assert(property, { numRuns: RUNS });
}, 300_000);
