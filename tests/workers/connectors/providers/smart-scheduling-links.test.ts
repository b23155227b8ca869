// SMART Scheduling Links, the odd cases: manifests, broken lines, missing files, zones, virtual
// places, capacity, and what makes an answer partial, silent or explicitly empty.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import { parseManifest } from '#workers/connectors/providers/smart-manifest.ts';
import { startFakeServer, type Told } from '../fake-server.ts';
import {
	createPoller,
	factsOf,
	instantOf,
	makeConnectors,
	makeSource,
	spoken
} from '../poll-once.ts';

const smart = 'http://fhir-registry.smarthealthit.org/StructureDefinition/';
const now = instantOf('2026-06-01T12:00:00Z');

type Files = Record<string, string | readonly object[] | Told>;

const outputs = (files: Files, url: string) =>
	Object.keys(files).map((name) => ({ type: name.replace(/\d*$/, ''), url: `${url}/${name}` }));

/** Serves a manifest of the given files; a list of objects becomes NDJSON. */
const publish = async (files: Files, manifest: object = {}) => {
	const server = await startFakeServer(({ url }) => {
		const name = url.pathname.slice(1);
		if (name === '$bulk-publish') {
			return {
				headers: { 'cache-control': 'max-age=90' },
				body: {
					transactionTime: '2026-06-01T11:59:00Z',
					output: outputs(files, server.url),
					...manifest
				}
			};
		}
		const file = files[name];
		if (file === undefined) return { status: 404 };
		if (typeof file === 'string') return { body: file };
		if (!isList(file)) return file;
		return { body: file.map((each) => `${JSON.stringify(each)}\n`).join('') };
	});
	return server;
};

const isList = (file: readonly object[] | Told): file is readonly object[] => Array.isArray(file);

const location = (over: object = {}) => ({
	resourceType: 'Location',
	id: 'l1',
	name: 'Clinic One',
	telecom: [{ system: 'phone', value: '555-0100' }],
	address: { city: 'Helena', state: 'MT', postalCode: '59601' },
	...over
});
const schedule = (over: object = {}) => ({
	resourceType: 'Schedule',
	id: 'a',
	actor: [{ reference: 'Location/l1' }],
	serviceType: [
		{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/service-type', code: '168' }] }
	],
	...over
});
const slot = (over: object = {}) => ({
	resourceType: 'Slot',
	id: 's1',
	schedule: { reference: 'Schedule/a' },
	status: 'free',
	start: '2026-06-02T09:00:00-06:00',
	end: '2026-06-02T09:20:00-06:00',
	...over
});
const extension = (name: string, value: object) => ({ url: smart + name, ...value });

const pollOnce = async (files: Files, manifest: object = {}, notes = {}) => {
	await using server = await publish(files, manifest);
	await using connectors = makeConnectors();
	const url = `${server.url}/$bulk-publish`;
	const source = makeSource({ kind: 'smart-scheduling-links', url, notes });
	return await createPoller(connectors['smart-scheduling-links'], source, () => now).poll();
};

const good: Files = { Location: [location()], Schedule: [schedule()], Slot: [slot()] };

test('[A11] validAt is the publisher’s transactionTime, the wish of max-age is passed on', async () => {
	const answer = spoken(await pollOnce(good));
	expect(answer.validAt).toBe(instantOf('2026-06-01T11:59:00Z'));
	expect(answer.maxAgeMs).toBe(90_000);
	expect(answer.window.from).toBe(now);
});

test('[A11] unknown output types and `extension: null` are tolerated, relative addresses resolved', async () => {
	const answer = await pollOnce(good, {
		output: [
			{ type: 'Immunization', url: '/nowhere' },
			{ type: 'Location', url: '/Location', extension: null },
			{ type: 'Schedule', url: 'Schedule' },
			{ type: 'Slot', url: './Slot' }
		]
	});
	expect(factsOf(answer)).toHaveLength(1);
});

test.each([
	['no JSON', 'nonsense', 'not_json'],
	['a list', '[]', 'not_json'],
	['no output', '{}', 'no_output'],
	['outputs in an inner array', '{"output":[[{"type":"Slot","url":"/a"}]]}', 'odd_output'],
	['an output without address', '{"output":[{"type":"Slot"}]}', 'odd_output'],
	['no slot file', '{"output":[{"type":"Schedule","url":"/a"}]}', 'no_slots']
])('[A11] a manifest with %s is not understood', (_name, text, reason) => {
	const read = parseManifest(Buffer.from(text), 'https://clinic.example/$bulk-publish');
	expect(read).toMatchObject({ ok: false, reason });
});

test('[A12] a bad line is refused with its reason, the rest is kept', async () => {
	const lines = [
		JSON.stringify(slot()),
		'{"resourceType":"Slot","schedule":{"reference":"Schedule/a"}, broken',
		JSON.stringify(slot({ id: 's2', start: '2026-06-02' })),
		JSON.stringify(slot({ id: 's3', start: '2026-06-03T24:00:00-06:00' })),
		JSON.stringify(slot({ id: 's4', end: '2026-06-02T08:00:00-06:00' })),
		JSON.stringify(
			slot({ id: 's5', start: '2026-06-02T10:00:00-06', end: '2026-06-02T10:20:00-06' })
		),
		...[11, 12, 13, 14].map((hour) =>
			JSON.stringify(
				slot({
					id: `h${hour}`,
					start: `2026-06-02T${hour}:00:00-06:00`,
					end: `2026-06-02T${hour}:20:00-06:00`
				})
			)
		)
	];
	const answer = spoken(await pollOnce({ ...good, Slot: lines.join('\r\n') }));
	expect(answer.flags).toMatchObject({ records: 10, badRecords: 4 });
	expect(answer.refused).toEqual([
		{ where: 'Slot:2', reason: 'not a JSON object' },
		{ where: 'Slot:3', reason: 'start is not an instant' },
		{ where: 'Slot:4', reason: 'start is not an instant' },
		{ where: 'Slot:5', reason: 'ends before it starts' }
	]);
	expect(answer.state).toBe('complete');
	expect(answer.unreadSchedules).toEqual(['a']);
	expect(factsOf(answer)).toHaveLength(6);
});

test('[A12] a broken line that could be anybody’s makes the answer partial', async () => {
	const text = `${JSON.stringify(slot())}\n{"oops\n${JSON.stringify(slot({ id: 's2', status: 'busy' }))}\n`;
	expect(spoken(await pollOnce({ ...good, Slot: text })).state).toBe('partial');
});

test('[A12] a record longer than allowed is refused unread', async () => {
	const long = slot({ id: 's2', comment: 'x'.repeat(70_000) });
	const answer = spoken(await pollOnce({ ...good, Slot: [slot(), long, slot({ id: 's3' })] }));
	expect(answer.refused).toEqual([{ where: 'Slot:2', reason: 'record too long' }]);
});

test('[A12] a file of nothing but rubbish is not understood', async () => {
	const answer = await pollOnce({ ...good, Slot: 'a\nb\nc\n' });
	expect(answer).toMatchObject({ state: 'silent', reason: 'not_understood' });
});

test('[A13] unknown statuses are kept as not bookable, orphans and repeats are counted', async () => {
	const answer = await pollOnce({
		...good,
		Slot: [
			slot({ status: 'moonlit' }),
			slot({ start: '2026-06-02T10:00:00-06:00', end: '2026-06-02T10:20:00-06:00' }),
			slot({
				id: 's3',
				status: 'busy',
				start: '2026-06-02T10:00:00-06:00',
				end: '2026-06-02T10:20:00-06:00'
			}),
			slot({ id: 's4', schedule: { reference: 'Schedule/zz' } })
		]
	});
	expect(spoken(answer).flags).toMatchObject({
		unknownStatuses: 1,
		orphans: 1,
		repeatedIds: 1,
		duplicates: 1
	});
	expect(factsOf(answer).map(({ status, remaining }) => [status, remaining])).toEqual([
		['busy', 0],
		['busy', 0]
	]);
});

test('[A13] when no slot belongs to a described schedule nothing is believed', async () => {
	const answer = await pollOnce({
		...good,
		Slot: [slot({ schedule: { reference: 'Schedule/z' } })]
	});
	expect(answer).toMatchObject({ state: 'silent', reason: 'not_understood' });
});

test.each([
	[{ valueInteger: 7 }, 7],
	[{ valueInteger: '33' }, 33],
	[{ valueInteger: '0' }, 0],
	[{ valueInteger: 0 }, 0],
	[{ valueInteger: -1 }, 1],
	[{ valueInteger: 'many' }, 1],
	[{}, 1]
])('[A14] a free slot with slot-capacity %j has %i places left', async (value, places) => {
	const answer = await pollOnce({
		...good,
		Slot: [slot({ extension: [extension('slot-capacity', value)] })]
	});
	expect(factsOf(answer)).toMatchObject([{ status: 'free', remaining: places }]);
});

test('[A14] links and numbers to book by are taken over, dangerous ones are not', async () => {
	const read = async (link: string) => {
		const extensions = [
			extension('booking-deep-link', { valueUrl: link }),
			extension('booking-phone', { valueString: ' 1-800-555-0100\u0000 ' })
		];
		const answer = await pollOnce({ ...good, Slot: [slot({ extension: extensions })] });
		return must(factsOf(answer)[0]);
	};
	expect(await read('https://clinic.example/book?a=1')).toMatchObject({
		bookUrl: 'https://clinic.example/book?a=1',
		bookPhone: '1-800-555-0100'
	});
	for (const link of [
		'javascript:alert(1)',
		'data:text/html,x',
		'https://a:b@clinic.example/',
		'x'
	]) {
		expect((await read(link)).bookUrl).toBeNull();
	}
});

test('[A15] the zone is told by the source, else by the notes, else by the state', async () => {
	const zone = {
		url: 'http://hl7.org/fhir/StructureDefinition/timezone',
		valueCode: 'America/Boise'
	};
	const read = async (place: object, notes: object) => {
		const answer = spoken(await pollOnce({ ...good, Location: [place] }, {}, notes));
		return [answer.schedules?.[0]?.zone, Object.keys(answer.cursor['zones'] as object)[0]];
	};
	const notes = { zone: 'America/Chicago' };
	expect(await read(location({ extension: [zone] }), notes)).toEqual(['America/Boise', 'source']);
	expect(await read(location(), notes)).toEqual(['America/Chicago', 'notes']);
	expect(await read(location(), {})).toEqual(['America/Denver', 'state']);
	const idaho = location({ address: { state: 'Idaho' } });
	expect(await read(idaho, {})).toEqual(['America/Boise', 'state_default']);
	expect(await read(location({ address: {} }), {})).toEqual(['UTC', 'none']);
});

test('[A15] offsets are right summer and winter, and wrong ones are seen on both sides of a change', async () => {
	const day = (date: string, offset: string, id: string) =>
		slot({ id, start: `${date}T09:00:00${offset}`, end: `${date}T09:20:00${offset}` });
	const right = [day('2026-06-02', '-06:00', 'a'), day('2026-06-03', 'Z', 'b')];
	expect(spoken(await pollOnce({ ...good, Slot: right })).flags.offsetMismatches).toBe(0);
	const wrong = [day('2026-06-02', '-07:00', 'a'), day('2026-06-03', '-05:00', 'b')];
	expect(spoken(await pollOnce({ ...good, Slot: wrong })).flags.offsetMismatches).toBe(2);
	const repaired = factsOf(await pollOnce({ ...good, Slot: wrong }, {}, { trust: 'wall' }));
	expect(repaired.map((fact) => fact.startsAt)).toEqual([
		instantOf('2026-06-02T09:00:00-06:00'),
		instantOf('2026-06-03T09:00:00-06:00')
	]);
});

test('[A16] a draft publisher says who, how, and where licensed', async () => {
	const virtual = {
		url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Location.virtualService',
		extension: [
			{
				url: 'channelType',
				valueCoding: {
					system: 'http://terminology.hl7.org/CodeSystem/virtual-healthcare-delivery-method',
					code: 'video'
				}
			}
		]
	};
	const answer = spoken(
		await pollOnce({
			Location: [
				location({ extension: [virtual] }),
				{
					resourceType: 'Location',
					id: 'lic',
					physicalType: { coding: [{ code: 'jdn' }] },
					address: { state: 'WY' }
				}
			],
			PractitionerRole: [
				{
					resourceType: 'PractitionerRole',
					id: 'r',
					practitioner: { reference: 'Practitioner/p' },
					organization: { reference: 'Organization/o' },
					location: [{ reference: 'Location/lic' }],
					specialty: [
						{ coding: [{ system: 'http://nucc.org/provider-taxonomy', code: '207N00000X' }] }
					]
				}
			],
			Practitioner: [
				{
					resourceType: 'Practitioner',
					id: 'p',
					identifier: [{ system: 'http://hl7.org/fhir/sid/us-npi', value: '1000000004' }],
					name: [{ family: 'Reyes', given: ['Ana', 'Luz'], suffix: ['MD'] }],
					communication: [{ coding: [{ system: 'urn:ietf:bcp:47', code: 'es-MX' }] }]
				}
			],
			Organization: [{ resourceType: 'Organization', id: 'o', name: ' Big\u0007 Sky \n Clinics ' }],
			Schedule: [
				schedule({ actor: [{ reference: 'PractitionerRole/r' }, { reference: 'Location/l1' }] })
			],
			Slot: [slot()]
		})
	);
	expect(answer.schedules).toEqual([
		{
			key: 'a',
			practitionerName: 'Ana Luz Reyes, MD',
			practitionerNpi: '1000000004',
			organizationName: 'Big Sky Clinics',
			specialtyIds: ['dermatology'],
			regions: ['US-WY'],
			kinds: ['video'],
			languages: ['es'],
			planIds: null,
			zone: 'America/Denver',
			phone: '555-0100'
		}
	]);
});

test('[A16] the operator’s notes speak only where the publisher is silent', async () => {
	const notes = {
		regions: ['US-ID', 'US-WY'],
		kinds: ['phone' as const],
		planIds: ['medicaid'],
		languages: ['en'],
		specialtyIds: ['cardiology'],
		phone: '555-0199',
		organizationName: 'Notes Clinic'
	};
	const answer = spoken(await pollOnce(good, {}, notes));
	expect(answer.schedules).toMatchObject([
		{
			regions: ['US-ID', 'US-WY'],
			kinds: ['phone'],
			planIds: ['medicaid'],
			languages: ['en'],
			specialtyIds: ['dermatology'],
			phone: '555-0100',
			organizationName: 'Notes Clinic'
		}
	]);
});

test('[A17] a slot file that fails makes the answer partial, its schedules unread', async () => {
	const answer = spoken(
		await pollOnce({
			...good,
			Schedule: [schedule(), schedule({ id: 'b' })],
			Slot2: { status: 503 }
		})
	);
	expect(answer.state).toBe('partial');
	expect(answer.unreadSchedules).toEqual(['b']);
});

test('[A17] without its schedules or all its slots a publisher is silent', async () => {
	expect(await pollOnce({ ...good, Schedule: { status: 500 } })).toMatchObject({
		state: 'silent',
		reason: 'http_error'
	});
	expect(
		await pollOnce({ ...good, Slot: { status: 429, headers: { 'retry-after': '5' } } })
	).toMatchObject({ state: 'silent', reason: 'throttled', retryAfterMs: 5_000 });
});

test('[A7] only a publisher that says "none" of every schedule is explicitly empty', async () => {
	const none = extension('has-availability', { valueCode: 'none' });
	const empty = { ...good, Slot: '' };
	expect(spoken(await pollOnce(empty)).explicitEmpty).toBe(false);
	const told = spoken(await pollOnce({ ...empty, Schedule: [schedule({ extension: [none] })] }));
	expect(told).toMatchObject({ state: 'complete', explicitEmpty: true });
	const unknown = extension('has-availability', { valueCode: 'unknown' });
	const half = spoken(
		await pollOnce({
			...empty,
			Schedule: [schedule({ extension: [none] }), schedule({ id: 'b', extension: [unknown] })]
		})
	);
	expect(half).toMatchObject({ explicitEmpty: false, unreadSchedules: ['b'] });
});

test('[N4] a slot that comes into the window is told although its file did not change', async () => {
	const late = slot({ id: 's2', start: '2026-06-15T15:30:00Z', end: '2026-06-15T16:00:00Z' });
	await using server = await publish({ ...good, Slot: [slot(), late] });
	await using connectors = makeConnectors();
	const url = `${server.url}/$bulk-publish`;
	const source = makeSource({ kind: 'smart-scheduling-links', url });
	let at: number = now;
	const { poll } = createPoller(connectors['smart-scheduling-links'], source, () => at);
	expect(factsOf(await poll())).toHaveLength(1);
	expect(spoken(await poll()).listing.form).toBe('unchanged');
	at = toInstant(now + 4 * 3_600_000);
	expect(factsOf(await poll())).toHaveLength(2);
});

test('[A13] a slot outside its source’s schedules cannot be told, whatever its ids say', async () => {
	const foreign = slot({ schedule: { reference: 'https://other.example/fhir/Schedule/b' } });
	expect(factsOf(await pollOnce({ ...good, Slot: [slot(), foreign] }))).toHaveLength(1);
});

test('[N15] all files of one poll together keep within a limit too', async () => {
	const many = Array.from({ length: 400 }, (_, at) => slot({ id: `s${at}` }));
	const files = { ...good, Slot: many, Slot2: many, Slot3: many, Slot4: many, Slot5: many };
	await using server = await publish(files);
	const url = `${server.url}/$bulk-publish`;
	const source = makeSource({ kind: 'smart-scheduling-links', url });
	const poll = async (listingBytes: number) => {
		await using connectors = makeConnectors({ listingBytes });
		return await createPoller(connectors['smart-scheduling-links'], source, () => now).poll();
	};
	expect(spoken(await poll(1_000_000)).state).toBe('complete');
	expect(spoken(await poll(150_000)).state).toBe('partial');
	expect(await poll(1_500)).toMatchObject({ state: 'silent', reason: 'too_large' });
});

test('[A16] what the describing files say is read again when one of them changes', async () => {
	const files: Files = { ...good };
	await using server = await publish(files);
	await using connectors = makeConnectors();
	const source = makeSource({ kind: 'smart-scheduling-links', url: `${server.url}/$bulk-publish` });
	const { poll } = createPoller(connectors['smart-scheduling-links'], source, () => now);
	await poll();
	expect(spoken(await poll())).toMatchObject({ schedules: null, listing: { form: 'unchanged' } });
	files['Location'] = [location({ telecom: [{ system: 'phone', value: '555-0177' }] })];
	expect(spoken(await poll())).toMatchObject({
		schedules: [{ key: 'a', phone: '555-0177' }],
		listing: { form: 'unchanged' }
	});
	files['Location'] = [location({ address: { state: 'NY' } })];
	// Another zone: every slot is judged anew.
	expect(spoken(await poll())).toMatchObject({
		listing: { form: 'full' },
		flags: { offsetMismatches: 1 }
	});
});
