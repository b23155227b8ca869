// How slots live by themselves: rates by the hour of the week, heat, bursts, the rolling window.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { Clinic } from '../../../demo/clinics/clinic.ts';
import { createClinic } from '../../../demo/clinics/clinic.ts';
import { createDriver } from '../../../demo/clinics/driver.ts';
import type { LifeView } from '../../../demo/clinics/life.ts';
import { hazardPerHour, hourOfWeek, stepLife } from '../../../demo/clinics/life.ts';
import { createRandom } from '../../../demo/clinics/random.ts';
import type { Organisation } from '../../../demo/clinics/world.ts';
import { createWorld, WINDOW_MS } from '../../../demo/clinics/world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A Monday, 06:00 in Denver. */
const monday = Date.parse('2026-10-26T12:00:00Z');

const organisation = (key: string, slotCount: number): Organisation =>
	must(createWorld({ seed: 1, startAt: monday, keys: [key], slotCount }).organisations[0]);

const viewOf = (clinic: Clinic): LifeView => ({
	slots: clinic.slots.sorted(),
	people: new Map(clinic.organisation.practitioners.map((person) => [person.id, person])),
	isHot: clinic.organisation.profile.hot,
	isKept: clinic.isKept
});

const setUp = (key: string, slotCount: number) => {
	let now = monday;
	const clinic = createClinic(organisation(key, slotCount), () => now);
	const driver = createDriver({ clinics: [clinic], seed: 1, pace: 1, now: () => now });
	const goTo = (at: number): number => {
		now = at;
		return driver.step(now);
	};
	const count = (status: string): number =>
		clinic.slots.sorted().filter((slot) => slot.status === status).length;
	return { clinic, driver, goTo, count, now: () => now };
};

test('[C28] people book by day, most on a Monday morning', () => {
	const zone = 'America/Denver';
	const morning = hourOfWeek(zone, monday + 4 * HOUR_MS);
	const night = hourOfWeek(zone, monday + 20 * HOUR_MS);
	const saturday = hourOfWeek(zone, monday + 5 * DAY_MS + 4 * HOUR_MS);
	expect(morning).toBeGreaterThan(20 * night);
	expect(morning).toBeGreaterThan(2 * saturday);
});

test('[C28] the near and the sought-after go faster; what has begun goes nowhere', () => {
	const clinic = createClinic(organisation('larkspur-valley', 400), () => monday);
	const free = clinic.slots.sorted().filter(({ status }) => status === 'free');
	const [near, far] = [must(free[0]), must(free.at(-1))];
	const person = must(clinic.organisation.practitioners[0]);
	const at = (slot: typeof near, hot: boolean) =>
		hazardPerHour(slot, { ...person, hot }, false, monday);
	expect(at(near, false)).toBeGreaterThan(at(far, false));
	expect(at(far, true)).toBeGreaterThan(5 * at(far, false));
	expect(hazardPerHour(near, person, false, near.startAt)).toBe(0);
});

test('[C28] the same chance gives the same moves', () => {
	const clinic = createClinic(organisation('prairie-lantern', 2000), () => monday);
	const stretch = () => ({
		now: monday + 4 * HOUR_MS,
		elapsedMs: HOUR_MS,
		pace: 1,
		random: createRandom('moves')
	});
	const one = stepLife(viewOf(clinic), stretch());
	expect(one.moves.length).toBeGreaterThan(5);
	expect(stepLife(viewOf(clinic), stretch())).toEqual(one);
});

test('[C28] a working day sees far more moves than a night', () => {
	const { goTo } = setUp('prairie-lantern', 3000);
	goTo(monday + 2 * HOUR_MS);
	const day = goTo(monday + 8 * HOUR_MS);
	goTo(monday + 17 * HOUR_MS);
	const night = goTo(monday + 23 * HOUR_MS);
	expect(day).toBeGreaterThan(4 * night);
});

test('[C28] slots fill, are cancelled, held and opened again within two days', () => {
	const { clinic, goTo } = setUp('prairie-lantern', 3000);
	goTo(monday + 2 * DAY_MS);
	const seen = clinic.slots.history().changes.map(({ slot }) => slot.status);
	for (const status of ['free', 'busy', 'busy-tentative', 'busy-unavailable'] as const) {
		expect(seen.filter((each) => each === status).length).toBeGreaterThan(3);
	}
});

test('[C28] a hot organisation is fuller than a calm one after two days', () => {
	const share = (key: string): number => {
		const { goTo, count, clinic } = setUp(key, 3000);
		goTo(monday + 2 * DAY_MS);
		return count('free') / clinic.slots.sorted().length;
	};
	expect(share('prairie-lantern')).toBeLessThan(share('bluestem'));
});

test('[C29] a slot with an appointment is moved by nobody else', () => {
	const { clinic, driver, goTo, now } = setUp('prairie-lantern', 200);
	const free = clinic.slots
		.sorted()
		.filter((slot) => slot.status === 'free' && slot.startAt > monday + 3 * DAY_MS);
	for (const { id } of free) {
		const booked = clinic.book({
			slotId: id,
			via: 'fhir',
			status: 'booked',
			identifiers: [],
			referral: null,
			source: null,
			content: {},
			holder: 'api'
		});
		expect(booked.ok).toBe(true);
	}
	expect(driver.burst(clinic, { count: 500, overMs: 0, kind: 'open' })).not.toContain(free[0]?.id);
	goTo(now() + 2 * DAY_MS);
	for (const { id } of free) {
		expect(clinic.slots.get(id)).toMatchObject({ status: 'busy', version: 2 });
	}
});

test('[C30] days gone by are forgotten and a new day opens at the end', () => {
	const { clinic, goTo } = setUp('bluestem', 1500);
	const lastBefore = must(clinic.slots.sorted().at(-1)).startAt;
	goTo(monday + 3 * DAY_MS);
	const slots = clinic.slots.sorted();
	expect(must(slots[0]).startAt).toBeGreaterThanOrEqual(monday + 3 * DAY_MS);
	expect(must(slots.at(-1)).startAt).toBeGreaterThan(lastBefore + DAY_MS);
	expect(must(slots.at(-1)).startAt).toBeLessThan(monday + 3 * DAY_MS + WINDOW_MS + DAY_MS);
	const fresh = slots.filter(({ startAt }) => startAt > lastBefore);
	expect(fresh.some(({ status }) => status === 'free')).toBe(true);
	expect(new Set(slots.map(({ id }) => id)).size).toBe(slots.length);
});

test('[C31] a burst fills the soonest slots one after the other', () => {
	let now = monday;
	const clinic = createClinic(organisation('bluestem', 300), () => now);
	const driver = createDriver({ clinics: [clinic], seed: 1, pace: 1, now: () => now });
	const free = clinic.slots.sorted().filter(({ status }) => status === 'free');
	const chosen = driver.burst(clinic, { count: 10, overMs: 1000, kind: 'fill' });
	expect(chosen).toEqual(free.slice(0, 10).map(({ id }) => id));
	const filled = (): number =>
		chosen.filter((id) => clinic.slots.get(id)?.status === 'busy').length;
	expect(filled()).toBe(1);
	now += 500;
	driver.step(now, false);
	expect(filled()).toBe(6);
	now += 500;
	driver.step(now, false);
	expect(filled()).toBe(10);
	driver.burst(clinic, { count: 5, overMs: 0, kind: 'open' });
	expect(filled()).toBeLessThan(10);
});
