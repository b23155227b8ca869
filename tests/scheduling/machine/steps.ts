// Steps that model and hub both take, as plain data: holds are named by slot and fence, so that the
// same step can be taken in any copy of the model. Every step ends in one line of text.
import type { BookingState } from '#domain/booking.ts';
import type { SlotStatus } from '#domain/slot.ts';
import * as bookings from '../../sim/holds/bookings.ts';
import { extend, hasClaim, isLive, place, release, sweep } from '../../sim/holds/holds.ts';
import { join, leave, offerRound, resume } from '../../sim/holds/line.ts';
import type { Booking, Device, Entry, Hold, Model, Slot } from '../../sim/holds/model.ts';
import { beginPoll, commitPoll, diffOf, type Told } from '../../sim/holds/poll.ts';

/** `slot:fence`; also names the booking made of the hold. */
export type Key = string;
export type Fact = {
	readonly status: SlotStatus;
	readonly capacity: number;
	readonly remaining: number;
};
/** What a source lists, by the numbers of its slots; null = not listed. */
export type Listing = ReadonlyMap<number, Fact | null>;
type Asker = { readonly device: number; readonly request: number };

export type Step =
	| { readonly do: 'advance'; readonly ms: number }
	| ({ readonly do: 'place'; readonly slot: number } & Asker)
	| { readonly do: 'extend' | 'release'; readonly device: number; readonly hold: Key }
	| ({ readonly do: 'confirm'; readonly hold: Key; readonly words: number } & Asker)
	| ({ readonly do: 'cancel'; readonly booking: Key } & Asker)
	| ({ readonly do: 'move'; readonly booking: Key; readonly hold: Key } & Asker)
	| { readonly do: 'takeUp'; readonly booking: Key }
	| {
			readonly do: 'settle';
			readonly booking: Key;
			readonly outcome: bookings.Outcome;
			readonly asking: bookings.Asking;
	  }
	| { readonly do: 'keep'; readonly booking: Key; readonly asking: bookings.Asking }
	/** `only` = the holds that ended, where others had some locked. */
	| { readonly do: 'sweep'; readonly only: ReadonlySet<Key> | null }
	| ({
			readonly do: 'join';
			readonly region: string;
			readonly plan: string | null;
			readonly schedule: number | null;
	  } & Asker)
	| { readonly do: 'leave' | 'resume'; readonly device: number; readonly entry: number }
	| { readonly do: 'offer' }
	| { readonly do: 'enable'; readonly source: number; readonly enabled: boolean }
	| { readonly do: 'beginPoll' | 'commitPoll'; readonly source: number }
	| { readonly do: 'readPoll'; readonly source: number; readonly listing: Listing };

type Poll = { gen: number; listing: Told[]; changes: Told[] };
/** Polls under way by number of source, the oldest first: one that was overtaken is the first. */
export type Machine = { readonly model: Model; readonly polls: Map<number, Poll[]> };

export const POLL_LEASE_MS = 60_000;
/** A worker asks about a visit until an hour after its end (K19). */
const ASK_UNTIL_MS = 3_600_000;

export const keyOf = (hold: Hold): Key => `${hold.slot.nr}:${hold.fence}`;

const must = <T>(found: T | undefined, what: string): T => {
	if (found === undefined) throw new Error(`no ${what}`);
	return found;
};
export const holdsOf = ({ devices }: Model): Hold[] => devices.flatMap(({ holds }) => holds);
const holdAt = (model: Model, key: Key): Hold =>
	must(
		holdsOf(model).find((hold) => keyOf(hold) === key),
		'hold'
	);
const bookingAt = (model: Model, key: Key): Booking =>
	must(holdAt(model, key).booking ?? undefined, 'booking');
const deviceAt = (model: Model, nr: number): Device => must(model.devices[nr], 'device');
const slotAt = (model: Model, nr: number): Slot => must(model.slots[nr], 'slot');

const shownOf = ({ state, isCancelling }: Booking): BookingState =>
	state === 'booked' && isCancelling ? 'cancelling' : state;

const viewOf = ({ now }: Model, hold: Hold): string => {
	const isOver = !isLive(hold.expiresAt, now);
	if (hold.state !== 'held') return `granted ${keyOf(hold)} ${hold.state} 0`;
	return `granted ${keyOf(hold)} ${isOver ? 'expired' : 'held'} ${Math.max(0, hold.expiresAt - now)}`;
};

const takeUp = ({ now }: Model, booking: Booking): string => {
	const shown = shownOf(booking);
	const isOpen = ['confirming', 'unconfirmed', 'cancelling'].includes(shown);
	if (!isOpen || booking.hold.slot.endsAt <= now - ASK_UNTIL_MS) return 'no';
	const { attempts, round } = bookings.takeUp(booking);
	return `${attempts} ${round}`;
};

export const textOfSweep = (ended: readonly Key[], back: number): string =>
	`${ended.toSorted().join(' ')} back ${back}`;

const sweepAll = (model: Model, { only }: Extract<Step, { do: 'sweep' }>): string => {
	const was = new Map(
		[...model.open].map((hold) => [
			hold,
			{ state: hold.state, isClaimed: hasClaim(hold.slot, hold.fence) }
		])
	);
	const ended = sweep(model, (hold) => only === null || only.has(keyOf(hold)));
	const held = ended.filter((hold) => was.get(hold)?.state === 'held');
	const others = ended.filter((hold) => {
		const before = was.get(hold);
		return before?.state === 'confirming' || (before?.state === 'booked' && before.isClaimed);
	});
	return textOfSweep(held.map(keyOf), others.length);
};

const entryAt = (model: Model, nr: number): Entry | undefined =>
	model.line.find((entry) => entry.nr === nr);

const takePollStep = ({ model, polls }: Machine, step: Step): string => {
	if (step.do !== 'beginPoll' && step.do !== 'readPoll' && step.do !== 'commitPoll') return '';
	const source = must(model.sources[step.source], 'source');
	if (step.do === 'beginPoll') {
		const gen = beginPoll(model, source, POLL_LEASE_MS);
		if (gen === null) return 'no';
		polls.set(step.source, [...(polls.get(step.source) ?? []), { gen, listing: [], changes: [] }]);
		return `gen ${gen}`;
	}
	const begun = polls.get(step.source) ?? [];
	const poll = must(step.do === 'readPoll' ? begun.at(-1) : begun.shift(), 'poll');
	if (step.do === 'readPoll') {
		poll.listing = [...step.listing].map(([nr, fact]) => ({ slot: slotAt(model, nr), fact }));
		poll.changes = diffOf(model, poll.listing);
		return `changes ${poll.changes.length}`;
	}
	return commitPoll(model, source, poll) ? 'committed' : 'fenced';
};

const takeLineStep = (model: Model, step: Step): string => {
	if (step.do === 'join') {
		const { device, request, region, plan, schedule } = step;
		const place = schedule === null ? null : must(model.schedules[schedule], 'schedule');
		const wish = { region, plan, schedule: place };
		const { outcome, entry } = join(model, { device: deviceAt(model, device), request, wish });
		return entry === null ? outcome : `${outcome} ${entry.nr}`;
	}
	if (step.do === 'leave' || step.do === 'resume') {
		const entry = entryAt(model, step.entry);
		const how = step.do === 'leave' ? leave : resume;
		return String(entry !== undefined && how(model, deviceAt(model, step.device), entry));
	}
	return offerRound(model)
		.map(({ entry, hold }) => `${entry.nr}→${keyOf(hold)}`)
		.join(' ');
};

/** Takes one step in the model. */
export const takeStep = (machine: Machine, step: Step): string => {
	const { model } = machine;
	switch (step.do) {
		case 'advance':
			model.now += step.ms;
			return '';
		case 'place': {
			const { request } = step;
			const asked = {
				device: deviceAt(model, step.device),
				request,
				slot: slotAt(model, step.slot)
			};
			const { outcome, hold } = place(model, asked);
			return hold === null ? outcome : viewOf(model, hold);
		}
		case 'extend':
			return extend(model, deviceAt(model, step.device), holdAt(model, step.hold));
		case 'release':
			return release(model, deviceAt(model, step.device), holdAt(model, step.hold));
		case 'confirm':
			return bookings.confirm(model, {
				...step,
				device: deviceAt(model, step.device),
				hold: holdAt(model, step.hold)
			});
		case 'cancel':
			return bookings.askCancel(model, {
				request: step.request,
				device: deviceAt(model, step.device),
				booking: bookingAt(model, step.booking)
			});
		case 'move':
			return bookings.move(model, {
				request: step.request,
				device: deviceAt(model, step.device),
				booking: bookingAt(model, step.booking),
				hold: holdAt(model, step.hold)
			});
		case 'takeUp':
			return takeUp(model, bookingAt(model, step.booking));
		case 'settle':
			return String(
				bookings.settle(model, bookingAt(model, step.booking), step.outcome, step.asking)
			);
		case 'keep':
			return String(bookings.keep(bookingAt(model, step.booking), step.asking));
		case 'sweep':
			return sweepAll(model, step);
		case 'enable':
			must(model.sources[step.source], 'source').enabled = step.enabled;
			return '';
		case 'beginPoll':
		case 'readPoll':
		case 'commitPoll':
			return takePollStep(machine, step);
		default:
			return takeLineStep(model, step);
	}
};

const byKey = (a: { key: Key }, b: { key: Key }): number => a.key.localeCompare(b.key);

/** Everything that is kept, in the form that the tables are read in too. */
export const dumpModel = (model: Model) => ({
	slots: model.slots.map((slot) => ({
		nr: slot.nr,
		status: slot.status,
		capacity: slot.capacity,
		remaining: slot.remaining,
		isRemoved: slot.isRemoved,
		fence: slot.fence,
		ownChangedAt: slot.ownChangedAt,
		claims: slot.claims.map(({ fence, until }) => ({ fence, until }))
	})),
	holds: holdsOf(model)
		.map((hold) => ({
			key: keyOf(hold),
			device: hold.device.nr,
			state: hold.state,
			expiresAt: hold.expiresAt,
			isExtended: hold.isExtended
		}))
		.toSorted(byKey),
	bookings: holdsOf(model)
		.flatMap(({ booking }) => (booking === null ? [] : [booking]))
		.map((booking) => ({
			key: keyOf(booking.hold),
			device: booking.device.nr,
			state: shownOf(booking),
			exclusive: booking.exclusive,
			attempts: booking.attempts,
			round: booking.round
		}))
		.toSorted(byKey),
	line: model.line.map((entry) => ({
		nr: entry.nr,
		state: entry.state,
		lapses: entry.lapses,
		hold: entry.hold === null ? null : keyOf(entry.hold),
		passed: [...entry.passed].toSorted((a, b) => a - b)
	})),
	// Those that people made; the hub's own, for offers, are negative.
	requests: model.devices
		.flatMap(({ nr, requests }) =>
			[...requests.keys()].filter((request) => request > 0).map((request) => `${nr} ${request}`)
		)
		.toSorted((a, b) => a.localeCompare(b))
});
export type Dump = ReturnType<typeof dumpModel>;
