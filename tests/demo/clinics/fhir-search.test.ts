// FHIR R4 servers of the simulated clinics: search, paging, includes, conditional reads, history.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { Bundle, Outcome } from './support.ts';
import { allPages, freeSlot, getJson, matchesOf, nextOf, openClinic } from './support.ts';

const servers = ['prairie-lantern', 'copper-mesa', 'cedar-harbor', 'bluestem', 'islands-path'];
const strict = { headers: { prefer: 'handling=strict' } };

test.each(servers)('[C13] paging %s to the end shows every slot once', async (key) => {
	const clinic = await openClinic(key, { slotCount: 150 });
	const pages = await allPages(`${clinic.url}/Slot?_count=20`);
	const ids = matchesOf(pages).map(({ resource }) => resource.id);
	const { slots } = clinic.truth();
	const listed = clinic.operatorNotes.listsOnlyFree
		? slots.filter(({ status }) => status === 'free')
		: slots;
	expect(ids.toSorted()).toEqual(listed.map(({ id }) => id).toSorted());
	expect(pages.every(({ total }) => total === listed.length)).toBe(true);
	expect(pages.length).toBe(Math.ceil(listed.length / 20));
	expect(pages.every((page) => (page.entry ?? []).length > 0)).toBe(true);
});

test('[C13] slots that change while one pages are neither lost nor doubled', async () => {
	const clinic = await openClinic('prairie-lantern', { slotCount: 150 });
	const seen: string[] = [];
	for (let next: string | undefined = `${clinic.url}/Slot?_count=10`; next !== undefined;) {
		const page: Bundle = await getJson(next);
		seen.push(...(page.entry ?? []).map(({ resource }) => resource.id));
		const first = clinic.truth().slots[0];
		if (first !== undefined) clinic.setSlotStatus(first.id, 'removed');
		clinic.setSlotStatus(freeSlot(clinic).id, 'busy');
		next = nextOf(page);
	}
	expect(new Set(seen).size).toBe(seen.length);
	const left = clinic.truth().slots.map(({ id }) => id);
	expect(left.filter((id) => !seen.includes(id))).toEqual([]);
});

test('[C13] the next link is opaque, and one that was tampered with is refused', async () => {
	const clinic = await openClinic('prairie-lantern');
	const next = must(nextOf(await getJson(`${clinic.url}/Slot?_count=5&status=free`)));
	expect(next).not.toContain('status');
	expect(next.startsWith(`${clinic.url}?`)).toBe(true);
	for (const broken of ['!!', 'e30', '', 'W10', 'A'.repeat(9000)]) {
		const answer = await fetch(`${clinic.url}?pg=${broken}`);
		expect(answer.status).toBe(400);
		expect(((await answer.json()) as Outcome).resourceType).toBe('OperationOutcome');
	}
});

test('[C13] _count is an upper bound and 0 asks for the total alone', async () => {
	const clinic = await openClinic('copper-mesa', { slotCount: 200 });
	const none = await getJson(`${clinic.url}/Slot?_count=0`);
	expect([none.entry, nextOf(none)]).toEqual([undefined, undefined]);
	expect(none.total).toBe(clinic.truth().counts.free);
	const most = await getJson(`${clinic.url}/Slot?_count=100000`);
	expect(most.entry?.length).toBeLessThanOrEqual(100);
});

test('[C14] slots are found by schedule, status, start, service, actor, id and change', async () => {
	const clinic = await openClinic('prairie-lantern', { slotCount: 150 });
	const { slots } = clinic.truth();
	const slot = must(slots[40]);
	const at = new Date(slot.startAt).toISOString();
	const day = new Date(slot.startAt + 86_400_000).toISOString();
	const person = must(
		clinic.organisation.practitioners.find(({ id }) => id === slot.practitionerId)
	);
	const mine = slots.filter(({ practitionerId }) => practitionerId === person.id);
	const found = async (query: string) =>
		matchesOf(await allPages(`${clinic.url}/Slot?${query}`)).map(({ resource }) => resource.id);
	const free = slots.filter(({ status }) => status === 'free');
	expect(await found(`schedule=Schedule/${person.id}-sch`)).toEqual(mine.map(({ id }) => id));
	expect(await found(`schedule.actor=Practitioner/${person.id}`)).toEqual(mine.map(({ id }) => id));
	expect(await found(`schedule.actor=PractitionerRole/${person.id}-role`)).toHaveLength(
		mine.length
	);
	expect(await found('status=free')).toHaveLength(free.length);
	expect(await found('status=free,busy')).toHaveLength(
		slots.filter(({ status }) => status === 'free' || status === 'busy').length
	);
	expect(await found(`start=ge${at}&start=lt${day}`)).toEqual(
		slots
			.filter(({ startAt }) => startAt >= slot.startAt && startAt < slot.startAt + 86_400_000)
			.map(({ id }) => id)
	);
	expect(await found(`_id=${slot.id}`)).toEqual([slot.id]);
	expect(await found('specialty=http://nucc.org/provider-taxonomy|nothing')).toEqual([]);
	clinic.running.step(10_000);
	const since = new Date(clinic.running.now()).toISOString();
	clinic.setSlotStatus(slot.id, slot.status === 'free' ? 'busy' : 'free');
	expect(await found(`_lastUpdated=ge${since}`)).toEqual([slot.id]);
});

test('[C14] the self link names the parameters applied and no others', async () => {
	const clinic = await openClinic('bluestem');
	const bundle = await getJson(`${clinic.url}/Slot?status=free&colour=red&_count=3`);
	const self = must(bundle.link.find(({ relation }) => relation === 'self'));
	expect([...new URL(self.url).searchParams]).toEqual([
		['status', 'free'],
		['_count', '3']
	]);
});

test('[C14] an unknown parameter is refused when handling is strict', async () => {
	const clinic = await openClinic('bluestem');
	const answer = await fetch(`${clinic.url}/Slot?colour=red`, strict);
	expect(answer.status).toBe(400);
	expect(((await answer.json()) as Outcome).issue[0]?.code).toBe('not-supported');
	const known = 'status=free&start=ge2026-10-25T00:00:00Z&_count=3&_include=Slot:schedule';
	expect((await fetch(`${clinic.url}/Slot?${known}`, strict)).status).toBe(200);
	expect((await fetch(`${clinic.url}/Slot?start=soon`)).status).toBe(400);
});

test('[C14] a search may be posted as a form', async () => {
	const clinic = await openClinic('bluestem');
	const body = new URLSearchParams({ status: 'free', _count: '2' });
	const bundle = await getJson(`${clinic.url}/Slot/_search`, { method: 'POST', body });
	expect(bundle.total).toBe(clinic.truth().counts.free);
});

test('[C14] the directory can be searched and read', async () => {
	const clinic = await openClinic('prairie-lantern', { slotCount: 150 });
	const person = must(clinic.organisation.practitioners[0]);
	const role = await getJson(
		`${clinic.url}/PractitionerRole?practitioner=Practitioner/${person.id}`
	);
	expect(role.entry?.map(({ resource }) => resource.id)).toEqual([`${person.id}-role`]);
	const places = await getJson(`${clinic.url}/Location?address-state=${person.home}`);
	expect(places.total).toBeGreaterThan(1);
	const npi = encodeURIComponent(`http://hl7.org/fhir/sid/us-npi|${person.npi}`);
	expect((await getJson(`${clinic.url}/Practitioner?identifier=${npi}`)).total).toBe(1);
	for (const type of ['Organization', 'HealthcareService', 'Schedule', 'InsurancePlan']) {
		expect((await getJson(`${clinic.url}/${type}`)).total).toBeGreaterThan(0);
	}
	const spanish = await getJson(`${clinic.url}/Practitioner?communication=urn:ietf:bcp:47|en`);
	expect(spanish.total).toBe(clinic.organisation.practitioners.length);
	const read = await fetch(`${clinic.url}/Practitioner/${person.id}`);
	expect(await read.text()).toContain(`"valueCode":"${person.timeZone}"`);
	expect((await fetch(`${clinic.url}/Patient/1`)).status).toBe(404);
	expect((await fetch(`${clinic.url}/Patient?name=a`)).status).toBe(404);
});

test('[C15] includes bring schedules and actors once per page', async () => {
	const clinic = await openClinic('prairie-lantern', { slotCount: 150 });
	const query = '_count=40&_include=Slot:schedule&_include:iterate=Schedule:actor';
	const page = await getJson(`${clinic.url}/Slot?${query}`);
	const entries = page.entry ?? [];
	const urls = entries.map(({ fullUrl }) => fullUrl);
	expect(new Set(urls).size).toBe(urls.length);
	const included = entries
		.filter(({ search }) => search?.mode === 'include')
		.map(({ resource }) => `${resource.resourceType}/${resource.id}`);
	const slots = entries.filter(({ search }) => search?.mode === 'match');
	expect(slots).toHaveLength(40);
	for (const { resource } of slots) {
		const { reference } = resource['schedule'] as { reference: string };
		expect(included).toContain(reference);
		const schedule = must(entries.find(({ fullUrl }) => fullUrl.endsWith(`/${reference}`)));
		const actors = schedule.resource['actor'] as { reference: string }[];
		for (const actor of actors) expect(included).toContain(actor.reference);
	}
	expect((await getJson(`${clinic.url}/Slot?_count=40`)).entry).toHaveLength(40);
});

test.each(['Slot?_count=10', 'PractitionerRole'])('[C16] an unchanged %s is 304', async (path) => {
	const clinic = await openClinic('prairie-lantern');
	const one = await fetch(`${clinic.url}/${path}`);
	const etag = must(one.headers.get('etag'));
	const two = await fetch(`${clinic.url}/${path}`, { headers: { 'if-none-match': etag } });
	expect([two.status, await two.text()]).toEqual([304, '']);
});

test('[C16] a search answered from another state of the slots is 200', async () => {
	const clinic = await openClinic('prairie-lantern');
	const url = `${clinic.url}/Slot?status=free`;
	const headers = { 'if-none-match': must((await fetch(url)).headers.get('etag')) };
	clinic.setSlotStatus(freeSlot(clinic).id, 'busy');
	const answer = await fetch(url, { headers });
	expect(answer.status).toBe(200);
	expect(((await answer.json()) as Bundle).total).toBe(clinic.truth().counts.free);
});

test('[C16] a slot is 304 by version or time, and 200 after a change', async () => {
	const clinic = await openClinic('prairie-lantern');
	const { id } = freeSlot(clinic);
	const url = `${clinic.url}/Slot/${id}`;
	const one = await fetch(url);
	const etag = must(one.headers.get('etag'));
	expect(etag).toBe('W/"1"');
	const headers = { 'if-none-match': etag };
	const modified = must(one.headers.get('last-modified'));
	expect((await fetch(url, { headers })).status).toBe(304);
	expect((await fetch(url, { headers: { 'if-modified-since': modified } })).status).toBe(304);
	clinic.setSlotStatus(id, 'busy');
	const changed = await fetch(url, { headers });
	expect([changed.status, changed.headers.get('etag')]).toEqual([200, 'W/"2"']);
});

test('[C16] a booked slot of a free-only listing can still be read; a removed one is 410', async () => {
	const clinic = await openClinic('copper-mesa');
	const [booked, removed] = [freeSlot(clinic).id, freeSlot(clinic, 1).id];
	clinic.setSlotStatus(booked, 'busy');
	clinic.setSlotStatus(removed, 'removed');
	const listed = matchesOf(await allPages(`${clinic.url}/Slot`)).map(({ resource }) => resource.id);
	expect(listed).not.toContain(booked);
	expect(listed).not.toContain(removed);
	const read = await getJson<{ status: string }>(`${clinic.url}/Slot/${booked}`);
	expect(read.status).toBe('busy');
	expect((await fetch(`${clinic.url}/Slot/${removed}`)).status).toBe(410);
	expect((await fetch(`${clinic.url}/Slot/unheard-of`)).status).toBe(404);
});

test('[C21] history names changes and deletions since an instant', async () => {
	const clinic = await openClinic('prairie-lantern');
	clinic.running.step(1000);
	const since = new Date(clinic.running.now()).toISOString();
	const [changed, removed] = [freeSlot(clinic).id, freeSlot(clinic, 1).id];
	clinic.setSlotStatus(changed, 'busy');
	clinic.setSlotStatus(removed, 'removed');
	const bundle = await getJson(`${clinic.url}/Slot/_history?_since=${since}`);
	expect(bundle.type).toBe('history');
	expect(bundle.entry?.map(({ request, resource }) => [request?.method, resource?.id])).toEqual([
		['DELETE', undefined],
		['PUT', changed]
	]);
	expect((await fetch(`${clinic.url}/Slot/_history?_since=2020-01-01T00:00:00Z`)).status).toBe(400);
	const other = await openClinic('bluestem');
	expect((await fetch(`${other.url}/Slot/_history?_since=${since}`)).status).toBe(405);
});

test.each(servers)('[C14] /metadata of %s tells what the server does', async (key) => {
	const clinic = await openClinic(key);
	type Entry = { type: string; versioning: string; interaction: { code: string }[] };
	const statement = await getJson<{
		fhirVersion: string;
		rest: { resource: Entry[] }[];
	}>(`${clinic.url}/metadata`);
	expect(statement.fhirVersion).toBe('4.0.1');
	const slot = must(statement.rest[0]?.resource.find(({ type }) => type === 'Slot'));
	const codes = slot.interaction.map(({ code }) => code);
	expect(codes.includes('update')).toBe(clinic.operatorNotes.slotWritable);
	expect(codes.includes('history-type')).toBe(clinic.operatorNotes.history);
	expect(slot.versioning === 'versioned-update').toBe(clinic.operatorNotes.slotWritable);
});
