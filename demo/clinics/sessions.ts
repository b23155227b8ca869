// From weekly hours to slots: wall time of the practitioner's zone, so 09:00 stays 09:00 across a
// change of the clocks. Slot ids come from schedule and start alone and never depend on order.
import { must } from '#domain/result.ts';
import type { Practitioner, WeeklySession } from './practitioner.ts';
import { createRandom } from './random.ts';
import { instantToWall, wallToInstant } from './zones.ts';

export type SlotStatus = 'free' | 'busy' | 'busy-tentative' | 'busy-unavailable';

export type WorldSlot = {
	id: string;
	practitionerId: string;
	/** UTC ms. */
	startAt: number;
	endAt: number;
	capacity: number;
	/** Places still open; 0 unless free. */
	left: number;
	status: SlotStatus;
};

type Span = { fromAt: number; toAt: number };
type Draft = { startAt: number; endAt: number };
type Plan = { practitioners: Practitioner[]; slots: WorldSlot[] };

const DAY_MS = 86_400_000;

const draftsOf = (person: Practitioner, session: WeeklySession, span: Span): Draft[] => {
	const drafts: Draft[] = [];
	const lastDay = instantToWall(person.timeZone, span.toAt).day;
	const first = instantToWall(person.timeZone, span.fromAt);
	const ahead = (session.weekday - first.weekday + 7) % 7;
	const lengthMs = person.slotMinutes * 60_000;
	for (let day = first.day + ahead; day <= lastDay; day += 7) {
		const closesAt = wallToInstant(person.timeZone, day, session.toMinute);
		let startAt = wallToInstant(person.timeZone, day, session.fromMinute);
		for (; startAt + lengthMs <= closesAt; startAt += lengthMs) {
			if (startAt < span.fromAt || startAt >= span.toAt) continue;
			drafts.push({ startAt, endAt: startAt + lengthMs });
		}
	}
	return drafts;
};

/** Nearer days are fuller; sought-after people fuller still; a few days are not opened yet. */
const openSlot = (person: Practitioner, draft: Draft, fromAt: number, seed: number): WorldSlot => {
	const random = createRandom(`${seed}/${person.id}/${draft.startAt}`);
	const leadDays = (draft.startAt - fromAt) / DAY_MS;
	const day = Math.floor(draft.startAt / DAY_MS);
	const closed = createRandom(`${seed}/${person.id}/day ${day}`).chance(leadDays > 2 ? 0.06 : 0);
	const fill = Math.min(0.95, 0.2 + 0.55 * Math.exp(-leadDays / 4) + (person.hot ? 0.25 : 0));
	const taken = Array.from({ length: person.capacity }, () => random.chance(fill));
	const left = closed ? 0 : taken.filter((each) => !each).length;
	return {
		id: `${person.id}-${(draft.startAt / 60_000).toString(36)}`,
		practitionerId: person.id,
		startAt: draft.startAt,
		endAt: draft.endAt,
		capacity: person.capacity,
		left,
		status: closed ? 'busy-unavailable' : left > 0 ? 'free' : 'busy'
	};
};

/** The slots of one practitioner's own sessions that begin in the span, as seen at `openedAt`. */
export const slotsOf = (
	person: Practitioner,
	span: Span,
	seed: number,
	openedAt: number
): WorldSlot[] =>
	person.sessions
		.flatMap((session) => draftsOf(person, session, span))
		.map((draft) => openSlot(person, draft, openedAt, seed))
		.toSorted((one, other) => one.startAt - other.startAt);

type PlanRequest = Span & {
	staffs: readonly (readonly Practitioner[])[];
	slotCount: number;
	seed: number;
};

/**
 * Gives everyone one more weekly session, in turn, until `slotCount` slots are reached; the last
 * session is cut short to meet the count. Each practitioner keeps only the sessions worked.
 */
export const planSlots = ({ staffs, slotCount, seed, ...span }: PlanRequest): Plan[] => {
	const plans = staffs.map(() => ({
		practitioners: [] as Practitioner[],
		slots: [] as WorldSlot[]
	}));
	const worked = new Map<string, number>();
	const most = Math.max(0, ...staffs.flat().map((person) => person.sessions.length));
	let left = slotCount;
	for (let round = 0; round < most && left > 0; round += 1) {
		for (const [at, staff] of staffs.entries()) {
			for (const person of staff) {
				const session = person.sessions[round];
				if (session === undefined || left === 0) continue;
				const drafts = draftsOf(person, session, span).slice(0, left);
				left -= drafts.length;
				worked.set(person.id, round + 1);
				const slots = must(plans[at], 'plan').slots;
				for (const draft of drafts) slots.push(openSlot(person, draft, span.fromAt, seed));
			}
		}
	}
	return plans.map(({ slots }, at) => ({
		practitioners: must(staffs[at], 'staff').map((person) => ({
			...person,
			sessions: person.sessions.slice(0, worked.get(person.id) ?? 0)
		})),
		slots: slots.toSorted(
			(one, other) => one.startAt - other.startAt || (one.id < other.id ? -1 : 1)
		)
	}));
};
