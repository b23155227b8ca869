// A clinic's visits as a calendar that its own programs subscribe to. Whoever has the address may read
// it, so that it holds times and practitioners and nothing of patients; a clinic ends it at will.
import { createHash, randomBytes } from 'node:crypto';
import ical, { ICalEventStatus } from 'ical-generator';
import type { ClinicFeeds } from '#domain/api.ts';
import type { BookingState } from '#domain/booking.ts';
import { modalities } from '#domain/codes.ts';
import { ok, refuse } from '#domain/result.ts';
import { MINUTE_MS, SECOND_MS, type Instant } from '#domain/time.ts';
import type { Sql } from '../platform/postgres.ts';
import { readClinicSource } from '../store/clinic.ts';
import {
	endFeed,
	findFeed,
	keepFeed,
	readFeedSince,
	readFeedVisits,
	type FeedVisit
} from '../store/clinic-feeds.ts';
import { eventInZone, zoneBlock } from './calendar-zone.ts';

type Deps = { readonly sql: Sql; readonly publicUrl: string };

/** Unguessable; the address is the only key. */
const TOKEN_BYTES = 32;
const tokenShape = /^[A-Za-z0-9_-]{43}$/;
/** How often programs are asked to look (RFC 7986, 5.7). */
const REFRESH_MS = 15 * MINUTE_MS;

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Not yet certain, or decided on the clinic's own page: tentative. */
const statusOf = (state: BookingState): ICalEventStatus => {
	if (state === 'booked') return ICalEventStatus.CONFIRMED;
	return state === 'cancelled' ? ICalEventStatus.CANCELLED : ICalEventStatus.TENTATIVE;
};

const titleOf = ({ kind, practitionerName }: FeedVisit): string => {
	const words = modalities.find(({ id }) => id === kind)?.consumerName ?? 'Telehealth visit';
	return `${words} · ${practitionerName}`;
};

const eventOf = (visit: FeedVisit, consoleUrl: string): string => {
	const event = ical().createEvent({
		id: `${visit.calendarUid}@slotcast`,
		stamp: new Date(visit.changedAt),
		start: new Date(visit.startsAt),
		end: new Date(visit.endsAt),
		summary: titleOf(visit),
		description: 'Booked through Slotcast. Who comes is on the console.',
		url: consoleUrl,
		sequence: visit.sequence,
		status: statusOf(visit.state)
	});
	return eventInZone(event.toString(), visit);
};

type Clinic = { readonly name: string; readonly zone: string };

/** The same visits give the same bytes, so that a program which asks again is told "not modified". */
export const makeClinicFeed = (
	clinic: Clinic,
	visits: readonly FeedVisit[],
	consoleUrl: string
): string => {
	const head = ical({
		name: `${clinic.name} · Slotcast`,
		prodId: { company: 'Slotcast', product: 'Clinic', language: 'EN' },
		ttl: REFRESH_MS / SECOND_MS
	}).toString();
	const zones = new Map<string, Instant>();
	for (const { zone, startsAt } of visits) if (!zones.has(zone)) zones.set(zone, startsAt);
	const blocks = [...zones].map(([zone, at]) => zoneBlock(zone, at));
	const events = visits.map((visit) => `${eventOf(visit, consoleUrl).trimEnd()}\r\n`);
	return `${head.replace('END:VCALENDAR', [...blocks, ...events, 'END:VCALENDAR'].join(''))}\r\n`;
};

export const clinicFeeds = ({ sql, publicUrl }: Deps): ClinicFeeds => ({
	since: (source) => readFeedSince(sql, source),
	make: async (source) => {
		const token = randomBytes(TOKEN_BYTES).toString('base64url');
		await keepFeed(sql, source, hashOf(token));
		return `${publicUrl}/calendar/${token}.ics`;
	},
	end: async (source) => {
		await endFeed(sql, source);
	},
	read: async (token) => {
		const found = tokenShape.test(token) ? await findFeed(sql, hashOf(token)) : null;
		if (found === null) return refuse('feed_unknown');
		if (found.isEnded) return refuse('feed_ended');
		const clinic = await readClinicSource(sql, found.source);
		if (clinic === undefined) return refuse('feed_unknown');
		const visits = await readFeedVisits(sql, found.source);
		return ok(makeClinicFeed(clinic, visits, `${publicUrl}/console`));
	}
});
