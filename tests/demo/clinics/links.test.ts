// SMART Scheduling Links publishers: the checks of the published test kit, and what each edition
// may say.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { RunningClinic } from '../../../demo/clinics/start.ts';
import { freeSlot, getJson, openClinic } from './support.ts';

type Output = { type: string; url: string; extension?: { state?: string[] } };
type Manifest = {
	transactionTime: string;
	request: string;
	output: Output[];
	deleted?: { url: string }[];
	error: unknown[];
};
type Line = { resourceType: string; id: string } & Record<string, unknown>;
type Reference = { reference: string; display?: string };

const first = ['hollow-creek', 'delta-reach', 'sugar-pine'];
const draft = ['larkspur-valley', 'northwater', 'tidewater-rural'];
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const link = 'http://fhir-registry.smarthealthit.org/StructureDefinition';

const linesOf = async (url: string): Promise<Line[]> => {
	const text = await (await fetch(url)).text();
	expect(text === '' || text.endsWith('\n')).toBe(true);
	return text
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => JSON.parse(line) as Line);
};

const readAll = async (url: string): Promise<Line[]> => {
	const { output } = await getJson<Manifest>(url);
	return (await Promise.all(output.map((each) => linesOf(each.url)))).flat();
};

const slotLines = async (url: string): Promise<Line[]> =>
	(await readAll(url)).filter(({ resourceType }) => resourceType === 'Slot');

const extensionOf = (line: Line, name: string): Record<string, unknown> | undefined =>
	((line['extension'] ?? []) as Record<string, unknown>[]).find(
		({ url }) => url === `${link}/${name}`
	);

const referencesIn = (node: unknown): string[] => {
	if (Array.isArray(node)) return node.flatMap(referencesIn);
	if (typeof node !== 'object' || node === null) return [];
	return Object.entries(node).flatMap(([name, value]) =>
		name === 'reference' && typeof value === 'string' ? [value] : referencesIn(value)
	);
};

test.each([...first, ...draft])(
	'[C8] the manifest of %s passes the published checks',
	async (key) => {
		const clinic = await openClinic(key);
		expect(new URL(clinic.url).pathname.endsWith('$bulk-publish')).toBe(true);
		const response = await fetch(clinic.url, { headers: { accept: 'application/json' } });
		expect(response.status).toBe(200);
		expect(response.headers.get('cache-control')).toMatch(/max-age=\d+/);
		const manifest = (await response.json()) as Manifest;
		expect(manifest.transactionTime).toMatch(instant);
		expect(manifest.request).toBe(clinic.url);
		expect(manifest.error).toEqual([]);
		expect(manifest.output.length).toBeGreaterThan(2);
		for (const output of manifest.output) {
			expect(output.url).toBe(new URL(output.url).href);
			expect(must(output.extension?.state).every((state) => /^[A-Z]{2}$/.test(state))).toBe(true);
			const file = await fetch(output.url, { headers: { accept: 'application/fhir+ndjson' } });
			expect(file.headers.get('content-type')).toContain('application/fhir+ndjson');
			expect((await linesOf(output.url)).every((line) => line.resourceType === output.type)).toBe(
				true
			);
		}
	}
);

test.each([...first, ...draft])(
	'[C8] the records of %s have what the types require',
	async (key) => {
		const clinic = await openClinic(key);
		const lines = await readAll(clinic.url);
		const ids = lines.map(({ resourceType, id }) => `${resourceType}/${id}`);
		expect(new Set(ids).size).toBe(ids.length);
		expect(lines.every(({ id }) => /^[A-Za-z0-9.-]{1,64}$/.test(id))).toBe(true);
		for (const slot of lines.filter(({ resourceType }) => resourceType === 'Slot')) {
			expect(slot['start']).toMatch(instant);
			expect(slot['end']).toMatch(instant);
			expect((slot['schedule'] as Reference).reference).toMatch(/^Schedule\//);
		}
		for (const schedule of lines.filter(({ resourceType }) => resourceType === 'Schedule')) {
			expect((schedule['serviceType'] as unknown[]).length).toBeGreaterThan(0);
			expect((schedule['actor'] as unknown[]).length).toBeGreaterThan(0);
		}
		for (const place of lines.filter(({ resourceType }) => resourceType === 'Location')) {
			expect(place['name']).not.toBe('');
			expect((place['address'] as { state: string }).state).toMatch(/^[A-Z]{2}$/);
		}
	}
);

test.each(first)(
	'[C8] %s lists one place with telephone, web and postcode per schedule',
	async (key) => {
		const clinic = await openClinic(key);
		const lines = await readAll(clinic.url);
		const places = lines.filter(({ resourceType }) => resourceType === 'Location');
		for (const place of places) {
			const telecom = place['telecom'] as { system: string }[];
			expect(telecom.map(({ system }) => system)).toEqual(['phone', 'url']);
			expect(place['address']).toMatchObject({
				line: [expect.any(String)],
				city: expect.any(String),
				postalCode: expect.stringMatching(/^\d{5}$/)
			});
			expect(place['identifier']).toHaveLength(1);
		}
		const schedules = lines.filter(({ resourceType }) => resourceType === 'Schedule');
		for (const schedule of schedules) {
			expect((schedule['actor'] as Reference[]).map(({ reference }) => reference)).toEqual([
				expect.stringMatching(/^Location\//)
			]);
		}
	}
);

test.each([...first, ...draft])(
	'[C9] references of %s resolve within the manifest',
	async (key) => {
		const lines = await readAll((await openClinic(key)).url);
		const known = new Set(lines.map(({ resourceType, id }) => `${resourceType}/${id}`));
		const references = [...new Set(referencesIn(lines))];
		expect(references.length).toBeGreaterThan(0);
		expect(references.filter((reference) => !known.has(reference))).toEqual([]);
	}
);

test('[C9] 1.0 says only free and busy, and nothing of people', async () => {
	const clinic = await openClinic('hollow-creek');
	clinic.setSlotStatus(freeSlot(clinic).id, 'busy-tentative');
	const lines = await readAll(clinic.url);
	const statuses = lines
		.filter(({ resourceType }) => resourceType === 'Slot')
		.map(({ status }) => status);
	expect(new Set(statuses)).toEqual(new Set(['free', 'busy']));
	expect(new Set(lines.map(({ resourceType }) => resourceType))).toEqual(
		new Set(['Location', 'Schedule', 'Slot'])
	);
});

test('[C9] the draft says who, how, where licensed, in which zone, and what is held', async () => {
	const clinic = await openClinic('larkspur-valley');
	const { id } = freeSlot(clinic);
	clinic.setSlotStatus(id, 'busy-tentative');
	const lines = await readAll(clinic.url);
	expect(lines.find((line) => line.id === id)?.['status']).toBe('busy-tentative');
	const person = must(clinic.organisation.practitioners[0]);
	const schedule = must(lines.find((line) => line.id === `${person.id}-sch`));
	expect(extensionOf(schedule, 'specialty')?.['valueCoding']).toMatchObject({
		system: 'http://nucc.org/provider-taxonomy'
	});
	const actors = schedule['actor'] as Reference[];
	expect(actors.every(({ display }) => display !== undefined)).toBe(true);
	const room = must(
		lines.find((line) => `Location/${line.id}` === actors[1]?.reference),
		'room'
	);
	const text = JSON.stringify(room['extension']);
	expect(text).toContain('extension-Location.virtualService');
	expect(text).toContain(person.timeZone);
	const role = must(lines.find((line) => line.id === `${person.id}-role`));
	const licences = (role['location'] as Reference[]).map(
		({ reference }) => lines.find((line) => `Location/${line.id}` === reference) as Line
	);
	expect(licences.map(({ address }) => (address as { state: string }).state).toSorted()).toEqual(
		person.regions.toSorted()
	);
	expect(JSON.stringify(licences[0]?.['physicalType'])).toContain('"jdn"');
});

const etagOf = (response: Response): string => must(response.headers.get('etag'), 'etag');

test.each(['hollow-creek', 'larkspur-valley'])(
	'[C10] what %s has not changed is 304',
	async (key) => {
		const clinic = await openClinic(key);
		const manifest = await fetch(clinic.url);
		const again = await fetch(clinic.url, { headers: { 'if-none-match': etagOf(manifest) } });
		expect(again.status).toBe(304);
		const { output } = (await manifest.json()) as Manifest;
		const slots = must(output.find(({ type }) => type === 'Slot')).url;
		const file = await fetch(slots);
		const modified = must(file.headers.get('last-modified'));
		const byTag = await fetch(slots, { headers: { 'if-none-match': etagOf(file) } });
		const byTime = await fetch(slots, { headers: { 'if-modified-since': modified } });
		expect([byTag.status, byTime.status]).toEqual([304, 304]);
		clinic.setSlotStatus(freeSlot(clinic).id, 'busy');
		const changed = await fetch(clinic.url, { headers: { 'if-none-match': etagOf(manifest) } });
		expect(changed.status).toBe(200);
	}
);

const slotUrls = async (clinic: RunningClinic): Promise<string[]> =>
	(await getJson<Manifest>(clinic.url)).output
		.filter(({ type }) => type === 'Slot')
		.map(({ url }) => url);

test('[C10] the draft gives new content a new URL and keeps the old file', async () => {
	const clinic = await openClinic('larkspur-valley');
	const before = await slotUrls(clinic);
	const old = await Promise.all(before.map(async (url) => (await fetch(url)).text()));
	const slot = freeSlot(clinic);
	clinic.setSlotStatus(slot.id, 'busy');
	const after = await slotUrls(clinic);
	expect(after.filter((url) => !before.includes(url))).toHaveLength(1);
	const still = await Promise.all(before.map(async (url) => (await fetch(url)).text()));
	expect(still).toEqual(old);
});

test('[C10] files of the newest publication stay, however many came before', async () => {
	const clinic = await openClinic('larkspur-valley');
	const missing: string[] = [];
	for (let turn = 0; turn < 60; turn += 1) {
		clinic.setSlotStatus(must(clinic.truth().slots[0]).id, turn % 2 === 0 ? 'busy' : 'free');
		const { output } = await getJson<Manifest>(clinic.url);
		const answers = await Promise.all(output.map(({ url }) => fetch(url, { method: 'HEAD' })));
		missing.push(...answers.filter(({ status }) => status !== 200).map(({ url }) => url));
	}
	expect(missing).toEqual([]);
});

test('[C10] 1.0 changes its files in place', async () => {
	const clinic = await openClinic('delta-reach');
	const before = await slotUrls(clinic);
	const { id } = freeSlot(clinic);
	clinic.setSlotStatus(id, 'busy');
	expect(await slotUrls(clinic)).toEqual(before);
	const slots = await slotLines(clinic.url);
	expect(slots.find((slot) => slot.id === id)?.['status']).toBe('busy');
});

test('[C11] where _since is honoured only changes and deletions come', async () => {
	const clinic = await openClinic('larkspur-valley');
	const since = new Date(Date.parse((await getJson<Manifest>(clinic.url)).transactionTime) + 1);
	clinic.running.step(60_000);
	const [changed, removed] = [freeSlot(clinic).id, freeSlot(clinic, 1).id];
	clinic.running.step(1000);
	clinic.setSlotStatus(changed, 'busy-unavailable');
	clinic.setSlotStatus(removed, 'removed');
	const delta = await getJson<Manifest>(`${clinic.url}?_since=${since.toISOString()}`);
	expect(delta.output.every(({ type }) => type === 'Slot')).toBe(true);
	expect(new URL(delta.request).searchParams.get('_since')).toBe(since.toISOString());
	const ids = (await Promise.all(delta.output.map(({ url }) => linesOf(url)))).flat();
	expect(ids.map(({ id }) => id)).toContain(changed);
	expect(ids.length).toBeLessThan(30);
	const deleted = await Promise.all((delta.deleted ?? []).map(({ url }) => linesOf(url)));
	expect(JSON.stringify(deleted)).toContain(`"DELETE","url":"Slot/${removed}"`);
});

test('[C11] elsewhere _since is ignored and everything comes', async () => {
	const clinic = await openClinic('delta-reach');
	const everything = await getJson<Manifest>(clinic.url);
	const answer = await getJson<Manifest>(`${clinic.url}?_since=2026-12-01T00:00:00Z`);
	expect(answer.output).toEqual(everything.output);
	expect(answer.request).toBe(clinic.url);
});

test('[C12] group visits say how many places are left', async () => {
	const clinic = await openClinic('northwater', { slotCount: 300 });
	const group = must(clinic.truth().slots.find(({ capacity, left }) => capacity > 1 && left > 1));
	const published = async () =>
		must((await slotLines(clinic.url)).find((slot) => slot.id === group.id));
	expect(extensionOf(await published(), 'slot-capacity')?.['valueInteger']).toBe(group.left);
	for (let turn = 0; turn < group.left; turn += 1) {
		expect((await published())['status']).toBe('free');
		const form = new URLSearchParams({ 'patient-name': 'A', 'patient-phone': '1' });
		form.set('booking-referral', `r-${turn}`);
		const { origin } = new URL(clinic.url);
		await fetch(`${origin}/book/${group.id}`, { method: 'POST', body: form, redirect: 'manual' });
	}
	expect((await published())['status']).toBe('busy');
	expect(clinic.appointments()).toHaveLength(group.left);
});

test('[C8] free slots can be booked by a link, at some clinics by telephone', async () => {
	const clinic = await openClinic('hollow-creek');
	const free = (await slotLines(clinic.url)).filter(({ status }) => status === 'free');
	expect(free.length).toBeGreaterThan(5);
	for (const slot of free) {
		const url = String(extensionOf(slot, 'booking-deep-link')?.['valueUrl']);
		expect(url).toBe(`${new URL(clinic.url).origin}/book/${slot.id}`);
		expect(extensionOf(slot, 'booking-phone')?.['valueString']).toMatch(/^\+1-\d{3}-555-01\d\d$/);
	}
});
