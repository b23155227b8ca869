// The demo's small practices: each of a kind of its own, read by its connector as the demo tells the hub
// of it, while its times open, fill and reopen as everywhere in the world.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { must } from '#domain/result.ts';
import { applyChanges, diffDelta, diffFull } from '#domain/slot-diff.ts';
import type { SlotFact, SlotKey } from '#domain/slot.ts';
import { sourceKinds, type SourceSettings } from '#domain/source.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import type { BookingOrder } from '#workers/connectors/connector.ts';
import { createWorld } from '../../../demo/clinics/world.ts';
import type { ClinicOptions, RunningClinic } from '../../../demo/clinics/start.ts';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { createPoller, makeConnectors, spoken } from '../../workers/connectors/poll-once.ts';
import { openClinics } from '../clinics/support.ts';

const startAt = Date.parse('2026-11-30T17:00:00Z');
const keys = ['willow-bend', 'harvest-moon', 'stone-bridge', 'salt-marsh'] as const;

/** A world whose clock the test moves. */
const openPractice = async (key: string, over: ClinicOptions = {}) => {
	let at = startAt;
	const of = { keys: [key], seed: 5, pace: 60, startAt, clock: () => at, ...over };
	const running = await openClinics(of);
	const clinic = must(running.clinics[0], key);
	const later = (ms: number): void => {
		at += ms;
		running.step(0);
	};
	return { clinic, source: sourceOf(clinic), now: () => at, later, close: running.close };
};

/** Starts of what is open in the source's window, as it truly is. */
const truthOf = (clinic: RunningClinic, { windowMs }: SourceSettings, now: number): number[] =>
	clinic
		.truth()
		.slots.filter(({ status, startAt: at }) => status === 'free' && at >= now)
		.map(({ startAt: at }) => at)
		.filter((at) => at < Math.ceil((now + windowMs) / HOUR_MS) * HOUR_MS);

const openOf = (known: ReadonlyMap<SlotKey, SlotFact>, now: number): number[] =>
	[...known.values()]
		.filter(({ remaining, startsAt }) => remaining > 0 && startsAt >= now)
		.map(({ startsAt }) => startsAt as number)
		.toSorted((a, b) => a - b);

test('[X23] the demo has a clinic of every kind that the hub reads', async () => {
	const of = { seed: 1, startAt, slotCount: 1_200 };
	const world = createWorld({ ...of, practices: true });
	const kinds = new Set(world.organisations.map(({ profile }) => profile.speaks.kind));
	expect([...kinds].toSorted()).toEqual(sourceKinds.toSorted());
	expect(world.organisations).toHaveLength(16);
	// The large ones are the same with and without them, and all are the same for the same seed.
	expect(createWorld(of).organisations).toEqual(world.organisations.slice(0, 12));
	expect(createWorld({ ...of, practices: true })).toEqual(world);
	const others = createWorld({ ...of, seed: 2, practices: true }).organisations.slice(12);
	expect(others).not.toEqual(world.organisations.slice(12));
});

test.each(keys)('[X23] %s is read as it truly is, while its times fill and reopen', async (key) => {
	const { clinic, source, now, later } = await openPractice(key);
	await using connectors = makeConnectors({ secretOf: async () => 'key' });
	const connector = connectors[source.kind];
	const poller = createPoller(connector, source, now);
	let known = new Map<SlotKey, SlotFact>();
	let cursor: Readonly<Record<string, unknown>> = {};
	const seen = new Set<string>();
	for (let turn = 0; turn < 12; turn += 1) {
		const answer = spoken(await poller.poll({ cursor }));
		({ cursor } = answer);
		const { listing } = answer;
		if (listing.form === 'full')
			known = applyChanges(known, diffFull(known, listing.facts, answer));
		if (listing.form === 'delta') known = applyChanges(known, diffDelta(known, listing, answer));
		expect(answer.state).toBe('complete');
		const open = openOf(known, now());
		expect(open).toEqual(truthOf(clinic, source, now()));
		seen.add(open.join());
		later(45 * MINUTE_MS);
	}
	expect(seen.size).toBeGreaterThan(6);
	const [schedule] =
		spoken(await poller.poll({ cursor: {}, basis: null, wantFull: true })).schedules ?? [];
	const person = must(clinic.organisation.practitioners[0]);
	expect(schedule).toMatchObject({
		practitionerName: expect.stringContaining(person.name.family) as string,
		specialtyIds: [person.specialtyId],
		zone: person.timeZone
	});
	expect(must(schedule).regions.length).toBeGreaterThan(0);
	expect(must(schedule).planIds?.length).toBeGreaterThan(0);
});

const orderOf = (source: SourceSettings, fact: SlotFact): BookingOrder => ({
	source,
	bookingId: randomUUID(),
	sourceSlotId: fact.sourceSlotId,
	scheduleKey: fact.scheduleKey,
	startsAt: fact.startsAt,
	endsAt: fact.endsAt,
	kind: 'video',
	patient: {
		givenName: 'Pat',
		familyName: 'Example',
		bornOn: '1980-01-01',
		phone: '+14065550100',
		email: 'pat@example.net',
		reason: null
	},
	signal: AbortSignal.timeout(20_000)
});

const slotAt = (clinic: RunningClinic, { startsAt }: SlotFact) =>
	clinic.truth().slots.find(({ startAt: at }) => at === startsAt);

const makeFolder = (): string => {
	const folder = mkdtempSync(join(tmpdir(), 'practice-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	return folder;
};

test.each(['willow-bend', 'harvest-moon'])(
	'[X24] at %s a visit is booked in its own book, kept over a restart, and cancelled',
	async (key) => {
		const stateFolder = makeFolder();
		const first = await openPractice(key, { stateFolder });
		await using connectors = makeConnectors({ secretOf: async () => 'key' });
		const connector = connectors[first.source.kind];
		const listing = spoken(await createPoller(connector, first.source, first.now).poll()).listing;
		const facts = listing.form === 'full' ? listing.facts : [];
		const fact = must(facts.filter(({ remaining }) => remaining > 0)[20], 'open time');
		const order = orderOf(first.source, fact);
		expect(await must(connector.book)(order)).toMatchObject({ state: 'booked' });
		expect(slotAt(first.clinic, fact)).toMatchObject({ status: 'busy' });
		expect(first.clinic.appointments()).toHaveLength(1);
		// Nobody else gets it, and nothing that happens by itself frees it.
		expect(await must(connector.book)(orderOf(first.source, fact))).toEqual({
			state: 'rejected',
			because: 'slot_taken'
		});
		first.later(30 * MINUTE_MS);
		expect(slotAt(first.clinic, fact)).toMatchObject({ status: 'busy' });
		await first.close();
		const again = await openPractice(key, { stateFolder });
		const source = { ...first.source, url: again.source.url };
		const found = await must(connector.findBooking)({ ...order, source });
		expect(found).toMatchObject({ state: 'booked' });
		const cancelled = await must(connector.cancel)({
			source,
			bookingId: order.bookingId,
			appointmentId: found.state === 'booked' ? found.appointmentId : null,
			sourceSlotId: order.sourceSlotId,
			key: randomUUID(),
			signal: AbortSignal.timeout(20_000)
		});
		expect(cancelled).toEqual({ state: 'cancelled' });
		expect(slotAt(again.clinic, fact)).toMatchObject({ status: 'free' });
	}
);

test.each(['stone-bridge', 'salt-marsh'])('[X24] at %s people call', async (key) => {
	const { source } = await openPractice(key);
	expect(source.booking).toBe('phone');
	expect(source.notes.phone).toMatch(/\d{3}/);
});
