// The facts of the simulated world: counts, coverage, zones over a change of the clocks, names.
import { expect, test } from 'vitest';
import {
	allUsps,
	commonSpecialtyIds,
	modalityOf,
	planTypeOf,
	regionOf,
	specialtyIds
} from '../../../demo/clinics/codes.ts';
import { neighboursOf, placeOf } from '../../../demo/clinics/geography.ts';
import { operatorNotesOf } from '../../../demo/clinics/operator-notes.ts';
import { fullName } from '../../../demo/clinics/people.ts';
import type { World } from '../../../demo/clinics/world.ts';
import { createWorld, WINDOW_MS } from '../../../demo/clinics/world.ts';
import { instantText, instantToWall, offsetMinutes } from '../../../demo/clinics/zones.ts';
import { must } from '#domain/result.ts';

const autumn = Date.parse('2026-10-25T06:00:00Z');
const spring = Date.parse('2027-03-08T06:00:00Z');

const peopleOf = (world: World) => world.organisations.flatMap((org) => org.practitioners);
const slotsOf = (world: World) => world.organisations.flatMap((org) => org.slots);

test('[C1] the same seed gives the same world, another seed another', () => {
	const make = (seed: number) => createWorld({ seed, startAt: autumn, slotCount: 3000 });
	expect(make(7)).toEqual(make(7));
	expect(slotsOf(make(7)).map(({ status }) => status)).not.toEqual(
		slotsOf(make(8)).map(({ status }) => status)
	);
});

test.each([
	['autumn', autumn],
	['spring', spring],
	['no change', Date.parse('2026-11-21T22:00:00Z')]
])('[C2] a full world is of the size promised (%s)', (_, startAt) => {
	const world = createWorld({ seed: 1, startAt });
	const slots = slotsOf(world);
	const kinds = world.organisations.map(({ profile }) => profile.speaks.kind);
	expect(world.organisations.length).toBeGreaterThanOrEqual(12);
	expect(kinds.filter((kind) => kind === 'fhir-slots')).toHaveLength(kinds.length / 2);
	expect(peopleOf(world).length).toBeGreaterThanOrEqual(300);
	expect(new Set(peopleOf(world).map(({ specialtyId }) => specialtyId)).size).toBe(25);
	expect(slots).toHaveLength(40_000);
	expect(new Set(slots.map(({ id }) => id)).size).toBe(40_000);
	expect(slots.every((slot) => /^[A-Za-z0-9.-]{1,64}$/.test(slot.id))).toBe(true);
	expect(slots.every((slot) => slot.startAt >= startAt && slot.startAt < startAt + WINDOW_MS)).toBe(
		true
	);
	const minutes = new Set(slots.map((slot) => (slot.endAt - slot.startAt) / 60_000));
	expect([...minutes].toSorted((one, other) => one - other)).toEqual([15, 20, 30, 50]);
	const people = new Map(peopleOf(world).map((person) => [person.id, person]));
	const hours = slots.map(({ practitionerId, startAt: at }) => {
		const person = must(people.get(practitionerId));
		return Math.floor(instantToWall(person.timeZone, at).minute / 60);
	});
	expect(Math.min(...hours)).toBeGreaterThanOrEqual(8);
	expect(Math.max(...hours)).toBeLessThan(20);
});

test('[C2] nobody has two overlapping slots', () => {
	const world = createWorld({ seed: 3, startAt: autumn });
	for (const mine of Map.groupBy(slotsOf(world), (slot) => slot.practitionerId).values()) {
		const sorted = mine.toSorted((one, other) => one.startAt - other.startAt);
		for (const [at, slot] of sorted.entries()) {
			const next = sorted[at + 1];
			if (next !== undefined) expect(next.startAt).toBeGreaterThanOrEqual(slot.endAt);
		}
	}
});

test('[C2] all three visit kinds, several languages, and every code are known', () => {
	const people = peopleOf(createWorld({ seed: 1, startAt: autumn }));
	expect(new Set(people.flatMap(({ visitKinds }) => visitKinds))).toEqual(
		new Set(['video', 'phone', 'chat'])
	);
	expect(people.every(({ languages }) => languages.includes('en'))).toBe(true);
	expect(people.filter(({ languages }) => languages.includes('es')).length).toBeGreaterThan(50);
	expect(new Set(people.flatMap(({ languages }) => languages)).size).toBeGreaterThan(4);
	expect(specialtyIds).toHaveLength(25);
	expect(modalityOf('chat').code).toBe('app');
	expect(planTypeOf('ppo').code).toBe('commppo');
});

test('[C3] every common specialty is found in all 56 regions', () => {
	const people = peopleOf(createWorld({ seed: 1, startAt: autumn }));
	expect(allUsps).toHaveLength(56);
	for (const specialtyId of commonSpecialtyIds) {
		const regions = new Set(
			people.filter((each) => each.specialtyId === specialtyId).flatMap((each) => each.regions)
		);
		expect([specialtyId, regions.size]).toEqual([specialtyId, 56]);
	}
});

test('[C3] licences reach from one region to all, mostly a few, home always among them', () => {
	const people = peopleOf(createWorld({ seed: 1, startAt: autumn }));
	const counts = people.map(({ regions }) => new Set(regions).size);
	expect(Math.min(...counts)).toBe(1);
	expect(Math.max(...counts)).toBe(56);
	expect(counts.filter((count) => count <= 4).length).toBeGreaterThan(people.length / 2);
	expect(counts.some((count) => count >= 5 && count <= 8)).toBe(true);
	expect(people.every(({ home, regions }) => regions.includes(home))).toBe(true);
	expect(new Set(people.map(({ home }) => home)).size).toBe(56);
});

test('[C3] every region has a town and neighbours that exist', () => {
	for (const usps of allUsps) {
		expect(placeOf(usps).town).not.toBe('');
		expect(neighboursOf(usps).length).toBeGreaterThan(0);
		for (const other of neighboursOf(usps)) expect(allUsps).toContain(other);
	}
});

test.each([
	['2026-10-25T06:00:00Z', '2026-11-01T12:00:00Z'],
	['2027-03-08T06:00:00Z', '2027-03-14T12:00:00Z']
])('[C4] wall times are the same on both sides of the change (%s)', (start, change) => {
	const changeAt = Date.parse(change);
	const world = createWorld({ seed: 1, startAt: Date.parse(start) });
	const people = new Map(peopleOf(world).map((person) => [person.id, person]));
	const walls = { before: new Map<string, Set<number>>(), after: new Map<string, Set<number>>() };
	let moved = 0;
	for (const slot of slotsOf(world)) {
		const { timeZone } = must(people.get(slot.practitionerId));
		const wall = instantToWall(timeZone, slot.startAt);
		// The first local day is cut by the start of the window.
		if (wall.day === instantToWall(timeZone, world.startAt).day) continue;
		const side = slot.startAt < changeAt ? walls.before : walls.after;
		const key = `${slot.practitionerId} ${wall.weekday}`;
		side.set(key, (side.get(key) ?? new Set()).add(wall.minute));
		if (offsetMinutes(timeZone, slot.startAt) !== offsetMinutes(timeZone, Date.parse(start))) {
			moved += 1;
		}
	}
	expect(moved).toBeGreaterThan(10_000);
	let compared = 0;
	for (const [key, minutes] of walls.after) {
		const before = walls.before.get(key);
		if (before === undefined) continue;
		compared += 1;
		expect([key, [...minutes].filter((minute) => !before.has(minute))]).toEqual([key, []]);
	}
	expect(compared).toBeGreaterThan(300);
});

test('[C4] practitioners work in a zone of their home region', () => {
	for (const org of createWorld({ seed: 1, startAt: autumn }).organisations) {
		for (const { home, timeZone } of org.practitioners) {
			const zones = org.uniform === null ? regionOf(home).timeZones : [org.uniform.timeZone];
			expect(zones).toContain(timeZone);
		}
	}
});

test.each([
	[
		'America/Denver',
		'2026-10-31T15:00:00Z',
		'2026-10-31T09:00:00-06:00',
		'2026-10-31T09:00:00-07:00'
	],
	[
		'America/Denver',
		'2026-11-02T16:00:00Z',
		'2026-11-02T09:00:00-07:00',
		'2026-11-02T09:00:00-06:00'
	],
	[
		'America/New_York',
		'2027-03-15T13:00:00Z',
		'2027-03-15T09:00:00-04:00',
		'2027-03-15T09:00:00-05:00'
	],
	[
		'America/Phoenix',
		'2026-10-31T16:00:00Z',
		'2026-10-31T09:00:00-07:00',
		'2026-10-31T09:00:00-07:00'
	],
	['Pacific/Guam', '2026-10-30T23:00:00Z', '2026-10-31T09:00:00+10:00', '2026-10-31T09:00:00+10:00']
])('[C4] in %s the instant %s is written %s, or wrongly %s', (zone, at, right, wrong) => {
	expect(instantText(zone, Date.parse(at))).toBe(right);
	expect(instantText(zone, Date.parse(at), true)).toBe(wrong);
});

const luhn = (digits: string): number =>
	Array.from(digits)
		.toReversed()
		.reduce((sum, digit, at) => {
			const value = Number(digit) * (at % 2 === 1 ? 2 : 1);
			return sum + (value > 9 ? value - 9 : value);
		}, 0) % 10;

test('[C5] names differ, NPIs are well formed and of an unused range', () => {
	const people = peopleOf(createWorld({ seed: 1, startAt: autumn }));
	expect(new Set(people.map(({ name }) => fullName(name))).size).toBe(people.length);
	expect(new Set(people.map(({ npi }) => npi)).size).toBe(people.length);
	for (const { npi } of people) {
		expect(npi).toMatch(/^10000\d{5}$/);
		expect(luhn(`80840${npi}`)).toBe(0);
	}
});

test.each([
	[1, 20],
	[2, 200],
	[5, 1000]
])('[C6] a world of %i organisations with %i slots has just that', (organisations, slotCount) => {
	const world = createWorld({ seed: 1, startAt: autumn, organisations, slotCount });
	expect(world.organisations).toHaveLength(organisations);
	expect(slotsOf(world)).toHaveLength(slotCount);
	expect(world.organisations.every((org) => org.slots.length > 0)).toBe(true);
});

test('[C6] organisations can be chosen by key', () => {
	const world = createWorld({ seed: 1, startAt: autumn, keys: ['bluestem'], slotCount: 40 });
	expect(world.organisations.map(({ profile }) => profile.key)).toEqual(['bluestem']);
});

test('[C7] the notes of a 1.0 publisher hold for each of its people', () => {
	const world = createWorld({ seed: 1, startAt: autumn });
	const plain = world.organisations.filter((org) => operatorNotesOf(org).edition === '1.0');
	expect(plain.length).toBeGreaterThan(1);
	for (const org of plain) {
		const notes = operatorNotesOf(org);
		expect(notes.holdsForAll).toBe(true);
		for (const person of org.practitioners) {
			expect(person.timeZone).toBe(notes.timeZone);
			expect(person.visitKinds).toEqual(notes.visitKinds);
			expect(person.regions.map((usps) => `US-${usps}`).toSorted()).toEqual(notes.regions);
		}
	}
});

test('[C7] the notes name what the organisation has, and no more', () => {
	for (const org of createWorld({ seed: 1, startAt: autumn }).organisations) {
		const notes = operatorNotesOf(org);
		const regions = new Set(org.practitioners.flatMap((person) => person.regions));
		expect(new Set(notes.regions)).toEqual(new Set([...regions].map((usps) => `US-${usps}`)));
		expect(new Set(notes.specialties)).toEqual(
			new Set(org.practitioners.map(({ specialtyId }) => specialtyId))
		);
		expect(notes.phone).toMatch(/^\+1-\d{3}-555-01\d\d$/);
		for (const id of notes.planTypes) expect(planTypeOf(id).code).not.toBe('');
	}
});
