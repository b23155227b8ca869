// A small practice of one clinician: visits of half an hour in the opening hours of one zone. What
// it tells of them, and in which format, is up to the servers beside this file.
import { wallToInstant } from '../zones.ts';

export type Visit = {
	readonly id: string;
	/** UTC ms. */
	readonly startAt: number;
	readonly endAt: number;
	isFree: boolean;
	/** Who keeps it for a moment: a reservation, an asker. */
	heldBy: string | null;
};

export type Booking = {
	readonly id: string;
	readonly visitId: string;
	readonly startAt: number;
	status: 'booked' | 'cancelled';
	/** What the asker calls it. */
	readonly reference: string;
	/** What was posted, as far as the server tells it again. */
	readonly content: Readonly<Record<string, unknown>>;
};

/** Who is visited. */
export type Who = {
	/** Part of ids. */
	readonly ref: string;
	readonly name: string;
	/** USPS code. */
	readonly state: string;
	/** The zone in the vendor's own words. */
	readonly zoneWord: string;
};

export type Office = {
	readonly name: string;
	/** Its domain: `juniper.example`. */
	readonly host: string;
	readonly zone: string;
	readonly who: Who;
	readonly visitMinutes: number;
	readonly now: () => number;
	/** Those that have not begun yet, soonest first. */
	readonly visits: () => readonly Visit[];
	readonly at: (startAt: number) => Visit | undefined;
	readonly bookings: () => readonly Booking[];
	readonly setFree: (visitId: string, isFree: boolean) => void;
	/** Books for `holder`; null when the time is gone or kept for somebody else. */
	readonly book: (
		visit: Visit,
		holder: string,
		asked: Pick<Booking, 'reference' | 'content'>
	) => Booking | null;
	readonly cancel: (bookingId: string) => boolean;
	/** Changes with everything that changes. */
	readonly revision: () => number;
	readonly touch: () => void;
};

export const OFFICE_ZONE = 'America/Denver';
export const OFFICE_HOURS = { from: 9, to: 16 };
/** Whom one sees there. */
export const ANA_RUIZ: Who = { ref: 'ruiz', name: 'Ana Ruiz', state: 'CO', zoneWord: 'MT' };
const VISIT_MS = 1_800_000;
const DAY_MS = 86_400_000;
const DAYS = 15;

/** Monday to Friday; every third visit is taken, so that there is something to tell. */
const visitsFrom = (startAt: number): Visit[] => {
	const visits: Visit[] = [];
	const today = Math.floor(startAt / DAY_MS);
	for (let day = today - 1; day < today + DAYS; day += 1) {
		const weekday = (day + 4) % 7;
		if (weekday === 0 || weekday === 6) continue;
		for (let half = OFFICE_HOURS.from * 2; half < OFFICE_HOURS.to * 2; half += 1) {
			const at = wallToInstant(OFFICE_ZONE, day, half * 30);
			const isFree = (day * 14 + half) % 3 !== 0;
			visits.push({
				id: `v${at / 60_000}`,
				startAt: at,
				endAt: at + VISIT_MS,
				isFree,
				heldBy: null
			});
		}
	}
	return visits;
};

/** Opens a practice whose calendar begins on the day of `now()`. */
export const createOffice = (now: () => number): Office => {
	const visits = visitsFrom(now());
	const bookings: Booking[] = [];
	let revision = 1;
	const touch = (): void => {
		revision += 1;
	};
	const byId = (id: string): Visit | undefined => visits.find((visit) => visit.id === id);
	return {
		name: 'Juniper Lane Practice',
		host: 'juniper.example',
		zone: OFFICE_ZONE,
		who: ANA_RUIZ,
		visitMinutes: VISIT_MS / 60_000,
		now,
		visits: () => visits.filter(({ startAt }) => startAt >= now()),
		at: (startAt) => visits.find((visit) => visit.startAt === startAt && startAt >= now()),
		bookings: () => bookings,
		setFree: (visitId, isFree) => {
			const visit = byId(visitId);
			if (visit === undefined) throw new Error(`no visit ${visitId}`);
			visit.isFree = isFree;
			touch();
		},
		book: (visit, holder, asked) => {
			const isKept = visit.heldBy !== null && visit.heldBy !== holder;
			if (!visit.isFree || isKept) return null;
			visit.isFree = false;
			visit.heldBy = null;
			const { id: visitId, startAt } = visit;
			const id = `b${bookings.length + 1}-${visitId}`;
			const booking: Booking = { id, visitId, startAt, status: 'booked', ...asked };
			bookings.push(booking);
			touch();
			return booking;
		},
		cancel: (bookingId) => {
			const booking = bookings.find(({ id }) => id === bookingId);
			if (booking === undefined || booking.status === 'cancelled') return false;
			booking.status = 'cancelled';
			const visit = byId(booking.visitId);
			if (visit !== undefined) visit.isFree = true;
			touch();
			return true;
		},
		revision: () => revision,
		touch
	};
};
