// Patients of the simulation: they hold, extend, let go, confirm, cancel, move and stand in line, send
// a request again when no answer comes, and like to do things in the very last millisecond.
import { MINUTE_MS } from '#domain/time.ts';
import { askCancel, confirm, move } from './bookings.ts';
import { extend, place, release } from './holds.ts';
import { sawConfirm, sawExtend, sawPlace, sawRelease } from './ledger.ts';
import { join, leave, resume } from './line.ts';
import type { Booking, Device, Entry, Hold, Slot, Wish } from './model.ts';
import { mishap, type Town } from './town.ts';

type Wanted =
	| { readonly do: 'place'; readonly slot: Slot }
	| { readonly do: 'extend' | 'release'; readonly hold: Hold }
	| { readonly do: 'confirm'; readonly hold: Hold; readonly words: number }
	| { readonly do: 'cancel'; readonly booking: Booking }
	| { readonly do: 'move'; readonly booking: Booking; readonly hold: Hold }
	| { readonly do: 'join'; readonly wish: Wish }
	| { readonly do: 'leave' | 'resume'; readonly entry: Entry };

/** A request on its way; sent again under the same number until an answer is heard. */
type Sent = { readonly want: Wanted; readonly request: number; wasRun: boolean };

export type Person = {
	readonly device: Device;
	hold: Hold | null;
	visit: Booking | null;
	sent: Sent | null;
};

export const createPerson = (device: Device): Person => ({
	device,
	hold: null,
	visit: null,
	sent: null
});

const runPlace = (town: Town, device: Device, slot: Slot, request: number): Hold | null => {
	const { model, ledger, races } = town;
	let away = Infinity;
	for (const { until } of slot.claims) away = Math.min(away, Math.abs(until - model.now));
	const ending = slot.claims.find(({ until }) => Math.abs(until - model.now) === away);
	const placed = place(model, { device, request, slot });
	sawPlace(ledger, { device, request, slot }, placed);
	if (ending !== undefined && away <= 1) {
		const isOver = ending.until <= model.now;
		if (isOver && placed.outcome === 'granted') races.grantedAtTheVeryEnd += 1;
		if (!isOver && placed.outcome === 'slot_taken') races.refusedJustBeforeTheEnd += 1;
	}
	return placed.hold;
};

const runConfirm = (town: Town, device: Device, request: number, want: Wanted): Booking | null => {
	if (want.do !== 'confirm' && want.do !== 'move') return null;
	const { model, ledger, races } = town;
	const { hold } = want;
	const isLast = Math.abs(hold.expiresAt - model.now) <= 5 && hold.state !== 'confirming';
	const wasNew = hold.booking === null;
	const outcome =
		want.do === 'confirm'
			? confirm(model, { device, request, hold, words: want.words })
			: move(model, { device, request, hold, booking: want.booking });
	sawConfirm(ledger, hold, { outcome, wasNew });
	const { booking } = hold;
	if (wasNew && isLast) {
		if (booking !== null) races.confirmedJustBeforeTheEnd += 1;
		else if (outcome === 'hold_expired') races.confirmRefusedAtTheEnd += 1;
	}
	if (wasNew && booking?.state === 'confirming') town.unsettled.add(booking);
	if (wasNew && outcome === 'rejected') races.lostToAConstraint += 1;
	if (wasNew && want.do === 'move' && booking !== null) races.moved += 1;
	return booking;
};

const run = (town: Town, person: Person, { want, request }: Sent): void => {
	const { model, ledger } = town;
	const { device } = person;
	town.operations += 1;
	switch (want.do) {
		case 'place':
			person.hold = runPlace(town, device, want.slot, request) ?? person.hold;
			return;
		case 'extend':
			return sawExtend(ledger, want.hold, extend(model, device, want.hold));
		case 'release':
			return sawRelease(ledger, want.hold, release(model, device, want.hold));
		case 'confirm':
		case 'move':
			person.visit = runConfirm(town, device, request, want) ?? person.visit;
			return;
		case 'cancel': {
			const { booking } = want;
			if (askCancel(model, { device, request, booking }) !== 'asked') return;
			ledger.cancelAsked.add(booking);
			town.unsettled.add(booking);
			return;
		}
		case 'join':
			return void join(model, { device, request, wish: want.wish });
		case 'leave': {
			const { hold } = want.entry;
			const wasThere = leave(model, device, want.entry);
			if (wasThere && hold !== null) sawRelease(ledger, hold, hold.state);
			return;
		}
		case 'resume':
			return void resume(model, device, want.entry);
		default:
			want satisfies never;
	}
};

const send = (town: Town, person: Person, sent: Sent): void => {
	const { races } = town;
	person.sent = sent;
	if (mishap(town, 0.02)) {
		races.lostRequests += 1;
		return;
	}
	if (sent.wasRun) races.doubleSubmits += 1;
	run(town, person, sent);
	sent.wasRun = true;
	if (mishap(town, 0.03)) races.lostReplies += 1;
	else if (mishap(town, 0.002)) races.killedHubs += 1;
	// Now and then somebody sends a thing twice though the answer has come.
	else if (!mishap(town, 0.03)) person.sent = null;
};

const wishes = (town: Town): Wish => ({
	region: town.random.chance(0.6) ? 'US-MT' : 'US-ID',
	plan: town.random.chance(0.4) ? town.random.pick(['medicaid', 'medicare']) : null,
	schedule: town.random.chance(0.3) ? town.random.pick(town.model.schedules) : null
});

/** The millisecond at which somebody's claim on this time ends, if one does. */
const endOf = (slot: Slot, now: number): number | null => {
	for (const { until } of slot.claims) if (until > now && until < Infinity) return until;
	return null;
};

type Step = { readonly want: Wanted | null; readonly at: number | null };

const withHold = (town: Town, { visit }: Person, hold: Hold): Step => {
	const { random } = town;
	const end = hold.expiresAt + random.int(-2, 2);
	const chosen = random.next();
	if (chosen < 0.12) return { want: { do: 'extend', hold }, at: null };
	if (chosen < 0.17) return { want: { do: 'extend', hold }, at: end };
	if (chosen < 0.37) return { want: { do: 'release', hold }, at: null };
	if (chosen < 0.5) return { want: { do: 'confirm', hold, words: random.int(1, 2) }, at: end };
	if (chosen < 0.6) return { want: null, at: null };
	if (chosen < 0.7 && visit !== null) {
		return { want: { do: 'move', hold, booking: visit }, at: null };
	}
	return { want: { do: 'confirm', hold, words: 1 }, at: null };
};

const withoutHold = (town: Town, person: Person): Step => {
	const { random, model } = town;
	const { device, visit } = person;
	const chosen = random.next();
	if (chosen < 0.08) return { want: { do: 'join', wish: wishes(town) }, at: null };
	const entry = model.line.find((one) => one.device === device);
	if (entry !== undefined && chosen < 0.25) {
		if (entry.hold !== null && chosen < 0.2) {
			person.hold = entry.hold;
			return { want: null, at: null };
		}
		return { want: { do: chosen < 0.21 ? 'leave' : 'resume', entry }, at: null };
	}
	if (visit !== null && chosen < 0.35) return { want: { do: 'cancel', booking: visit }, at: null };
	const slot = random.pick(model.slots);
	const end = chosen < 0.7 ? endOf(slot, model.now) : null;
	return { want: { do: 'place', slot }, at: end === null ? null : end + random.int(-1, 1) };
};

/** A while as people take it: mostly seconds, sometimes minutes. ms. */
const pause = ({ random }: Town): number => Math.ceil(-Math.log(1 - random.next()) * 50_000);

/** One waking of a person; returns when they want to act next. */
export const actAsPerson = (town: Town, person: Person, aims: (Sent | null)[]): number => {
	const { model, random } = town;
	const { device } = person;
	const aim = aims[device.nr] ?? null;
	aims[device.nr] = null;
	const pending = person.sent ?? aim;
	if (pending !== null) {
		send(town, person, pending);
		return model.now + (person.sent === null ? pause(town) : random.int(1, 3_000));
	}
	const { hold } = person;
	// What is over is forgotten at some time; trying it late is part of the game.
	const isOver = hold !== null && hold.state !== 'held' && random.chance(0.7);
	if (isOver || (hold !== null && hold.expiresAt <= model.now && random.chance(0.5))) {
		person.hold = null;
	}
	const { want, at } =
		person.hold === null ? withoutHold(town, person) : withHold(town, person, person.hold);
	if (want === null) return model.now + random.int(1, 8) * MINUTE_MS;
	town.requests += 1;
	const sent: Sent = { want, request: town.requests, wasRun: false };
	if (at !== null && at > model.now) {
		aims[device.nr] = sent;
		return at;
	}
	send(town, person, sent);
	return model.now + (person.sent === null ? pause(town) : random.int(1, 3_000));
};

export type Aims = (Sent | null)[];
