// FHIR slot searches, the odd cases: paging, links that lead away, pages that fail, servers that
// ignore filters, directories that cannot be searched, and polls by update.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { MINUTE_MS } from '#domain/time.ts';
import { openBundle, openParsed } from '#workers/connectors/bundle.ts';
import { piecesOf, textOf } from '#workers/connectors/pieces.ts';
import { startFakeServer, type Asked } from '../fake-server.ts';
import { factsOf, spoken } from '../poll-once.ts';
import {
	answerSlots,
	bundle,
	date,
	directory,
	follow,
	isSince,
	now,
	slotOf,
	slots,
	type Slot,
	type World
} from './fhir-world.ts';

test('[A30] the window is asked for in whole hours and told from now on', async () => {
	const world = {
		slots: [...slots(3), { id: 'past', version: 1, status: 'free', minute: -5 }],
		perPage: 9
	};
	await follow(world, async ({ poll, asked }) => {
		const answer = await poll();
		expect(spoken(answer).window.from).toBe(now);
		expect(factsOf(answer).map((fact) => fact.sourceSlotId)).toEqual(['s0', 's1', 's2']);
		const search = decodeURIComponent(must(asked().find((url) => url.startsWith('/fhir/Slot?'))));
		expect(search).toContain('start=ge2026-06-01T12:00:00Z&start=lt2026-06-15T13:00:00Z');
	});
});

test('[A31] pages are followed to the end, one slot on two pages is one slot', async () => {
	const twice = slots(25);
	const world = { slots: [...twice.slice(0, 11), ...twice.slice(9)], perPage: 10 };
	await follow(world, async ({ poll, asked }) => {
		const answer = await poll();
		expect(factsOf(answer)).toHaveLength(25);
		expect(spoken(answer)).toMatchObject({ state: 'complete', flags: { duplicates: 2 } });
		expect(asked().filter((url) => url.includes('/Slot?'))).toHaveLength(3);
	});
});

test('[A31] a page that fails makes the answer partial, the first one silent', async () => {
	const failing = (page: string | null): World => ({
		slots: slots(25),
		perPage: 10,
		over: ({ url }) =>
			url.pathname.endsWith('/Slot') && url.searchParams.get('page') === page
				? { status: 503 }
				: undefined
	});
	await follow(failing('2'), async ({ poll }) => {
		const answer = await poll();
		expect(spoken(answer).state).toBe('partial');
		expect(factsOf(answer)).toHaveLength(20);
	});
	await follow(failing(null), async ({ poll }) => {
		expect(await poll()).toMatchObject({ state: 'silent', reason: 'http_error' });
	});
});

test('[A38] slots of a page that fails are not taken, though the source lists only free ones', async () => {
	let fails = false;
	const free = slots(25).map((slot) => ({ ...slot, status: 'free' }));
	const world: World = {
		slots: free,
		perPage: 20,
		over: ({ url }) =>
			fails && url.pathname.endsWith('/Slot') && url.searchParams.get('page') === '1'
				? { status: 503 }
				: undefined
	};
	await follow(world, async ({ poll }) => {
		expect(factsOf(await poll())).toHaveLength(25);
		fails = true;
		const answer = spoken(await poll());
		expect(answer.state).toBe('partial');
		expect(factsOf(answer).filter(({ status }) => status !== 'free')).toEqual([]);
	});
});

const withNext = (next: string): World => ({
	slots: [],
	perPage: 1,
	over: ({ url }) =>
		url.pathname.endsWith('/Slot')
			? { body: bundle(slots(4).map(slotOf), [{ relation: 'next', url: next }]) }
			: undefined
});

test('[A32] a next link that leaves the source is not followed', async () => {
	await using other = await startFakeServer(() => ({ body: bundle([]) }));
	for (const next of [
		`${other.url}/fhir/Slot`,
		'http://169.254.169.254/',
		'file:///etc/passwd',
		'//'
	]) {
		await follow(withNext(next), async ({ poll }) => {
			expect(spoken(await poll()).state).toBe('partial');
		});
	}
	expect(other.asked).toEqual([]);
});

test('[A32] pages that run in a circle end', async () => {
	await follow(withNext('/fhir/Slot?page=1'), async ({ poll, asked }) => {
		expect(spoken(await poll()).state).toBe('partial');
		expect(asked().filter((url) => url.includes('/Slot')).length).toBeLessThan(4);
	});
});

test('[A33] a filter that the server drops is applied by us and told', async () => {
	const far: Slot = { id: 'far', version: 1, status: 'free', minute: 90 * 24 * 60 };
	const world: World = {
		slots: [],
		perPage: 1,
		over: ({ url }) =>
			url.pathname.endsWith('/Slot')
				? {
						body: bundle([...slots(3), far].map(slotOf), [
							{ relation: 'self', url: `${url.pathname}?_count=500` }
						])
					}
				: undefined
	};
	await follow(world, async ({ poll }) => {
		const answer = await poll();
		expect(factsOf(answer)).toHaveLength(3);
		expect(spoken(answer).cursor['ignored']).toEqual(['start']);
	});
});

test('[A34] a page asked for with its ETag and answered 304 is taken from the last time', async () => {
	const world: World = { slots: slots(30), perPage: 10 };
	const full = new Map<string, string>();
	world.over = ({ url, headers }) => {
		if (!url.pathname.endsWith('/Slot')) return undefined;
		const told = answerSlots(world, `http://${headers.host}`, { url } as Asked);
		const text = JSON.stringify(told.body);
		const page = url.searchParams.get('page') ?? '0';
		const etag = `W/"${text.length}-${text.split('busy').length}"`;
		if (headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
		full.set(page, etag);
		return { headers: { etag, date }, body: text };
	};
	await follow(world, async ({ poll }) => {
		await poll();
		expect(full.size).toBe(3);
		full.clear();
		expect(spoken(await poll())).toMatchObject({ listing: { form: 'unchanged' }, bytes: 0 });
		world.slots = world.slots.with(15, { ...must(world.slots[15]), status: 'busy-tentative' });
		const delta = spoken(await poll());
		expect([...full.keys()]).toEqual(['1']);
		expect(delta.listing).toMatchObject({
			changed: [{ sourceSlotId: 's15' }],
			gone: [],
			total: 30
		});
	});
});

test('[A35] metadata is asked once a day, the directory once an hour', async () => {
	await follow({ slots: slots(3), perPage: 10 }, async ({ poll, asked, later }) => {
		const count = (part: string): number => asked().filter((url) => url.includes(part)).length;
		await poll();
		later(10 * MINUTE_MS);
		await poll();
		expect([count('/metadata'), count('/Schedule?')]).toEqual([1, 1]);
		later(61 * MINUTE_MS);
		await poll();
		expect([count('/metadata'), count('/Schedule?')]).toEqual([1, 2]);
		later(24 * 60 * MINUTE_MS);
		await poll();
		expect([count('/metadata'), count('/Schedule?')]).toEqual([2, 3]);
	});
});

test('[A35] slots of an unknown schedule make the directory be read again', async () => {
	const world: World = { slots: slots(3), perPage: 10, directory: { ...directory } };
	await follow(world, async ({ poll, later }) => {
		await poll();
		world.slots = [
			...world.slots,
			{ id: 'new', version: 1, status: 'free', minute: 600, schedule: 'b' }
		];
		world.directory = {
			Schedule: [...must(directory['Schedule']), { resourceType: 'Schedule', id: 'b' }]
		};
		later(2 * MINUTE_MS);
		const answer = await poll();
		expect(spoken(answer).flags.orphans).toBe(0);
		expect(spoken(answer).schedules?.map(({ key }) => key)).toEqual(['a', 'b']);
		expect(factsOf(answer)).toHaveLength(4);
	});
});

test('[A39] actors that cannot be read for now are not taken for unknown', async () => {
	let fails = false;
	const role = { resourceType: 'PractitionerRole', id: 'r', practitioner: { display: 'Dr Role' } };
	const world: World = {
		slots: slots(3),
		perPage: 10,
		directory: {
			Schedule: [
				{ resourceType: 'Schedule', id: 'a', actor: [{ reference: 'PractitionerRole/r' }] }
			],
			PractitionerRole: [role]
		},
		over: ({ url }) =>
			fails && url.pathname.startsWith('/fhir/PractitionerRole') ? { status: 503 } : undefined
	};
	await follow(world, async ({ poll, later }) => {
		expect(spoken(await poll()).schedules?.[0]?.practitionerName).toBe('Dr Role');
		fails = true;
		later(61 * MINUTE_MS);
		expect(spoken(await poll()).schedules).toBeNull();
	});
	// A process that knows nothing of this server yet says nothing rather than half of it.
	await follow(world, async ({ poll }) => {
		expect(await poll()).toMatchObject({ state: 'silent', reason: 'http_error' });
	});
});

test('[A35] actors are found by id, one by one where the server knows no search by id', async () => {
	const role = {
		resourceType: 'PractitionerRole',
		id: 'r',
		practitioner: { reference: 'Practitioner/p' }
	};
	const person = { resourceType: 'Practitioner', id: 'p', name: [{ text: 'Dr Found' }] };
	const world: World = {
		slots: slots(3),
		perPage: 10,
		directory: {
			Schedule: [
				{ resourceType: 'Schedule', id: 'a', actor: [{ reference: 'PractitionerRole/r' }] }
			],
			PractitionerRole: [role]
		},
		over: ({ url }) => (url.pathname === '/fhir/Practitioner/p' ? { body: person } : undefined)
	};
	await follow(world, async ({ poll, asked }) => {
		expect(spoken(await poll()).schedules).toMatchObject([{ practitionerName: 'Dr Found' }]);
		expect(asked()).toContain('/fhir/PractitionerRole?_id=r&_count=200');
	});
});

test('[A35] without its schedules a server is silent, not empty', async () => {
	const over: World['over'] = ({ url }) =>
		url.pathname.endsWith('/Schedule') ? { status: 503 } : undefined;
	await follow({ slots: slots(3), perPage: 10, over }, async ({ poll }) => {
		expect(await poll()).toMatchObject({ state: 'silent', reason: 'http_error' });
	});
});

test('[A36] long listings are followed by updates, which remove nothing and do not go on for ever', async () => {
	const world: World = { slots: slots(40), perPage: 2 };
	await follow(world, async ({ poll, asked }) => {
		expect(factsOf(await poll())).toHaveLength(40);
		const changed: Slot = { ...must(world.slots[4]), version: 2, status: 'busy' };
		world.slots = world.slots.with(4, changed).slice(0, 39);
		const before = asked().length;
		const update = spoken(await poll());
		expect(asked().slice(before)).toHaveLength(1);
		expect(update).toMatchObject({
			state: 'partial',
			listing: { form: 'delta', changed: [{ sourceSlotId: 's4', status: 'busy' }], gone: [] }
		});
		const since = new URL(must(asked().at(-1)), 'http://x').searchParams.get('_lastUpdated');
		expect(since).toBe(`ge${new Date(now - 2 * MINUTE_MS).toISOString()}`);
		for (let turn = 0; turn < 4; turn += 1) expect(spoken(await poll()).state).toBe('partial');
		const whole = await poll();
		expect(spoken(whole).state).toBe('complete');
		expect(factsOf(whole)).toHaveLength(39);
	});
});

test('[A36] a server that ignores `_lastUpdated` is listed as ever', async () => {
	const world: World = { slots: slots(40), perPage: 2, ignoresUpdates: true };
	await follow(world, async ({ poll }) => {
		await poll();
		expect(spoken(await poll()).state).toBe('complete');
	});
});

const other = (value: string) => (self: URL) => {
	if (isSince(self)) self.searchParams.set('_lastUpdated', value);
	return self.href;
};

test.each([
	['says nothing', () => null],
	['says it unreadably', () => 'http://'],
	['says that it filtered by another time', other('ge2026-11-01T00:00:00Z')],
	['says that it filtered by later changes only', other('gt2026-06-01T12:08:00.000Z')]
])(
	'[A96] a server that %s is listed, and not asked for updates again that day',
	async (_name, tells) => {
		const world: World = { slots: slots(40), perPage: 2, tells };
		await follow(world, async ({ poll, asked }) => {
			await poll();
			expect(spoken(await poll()).state).toBe('complete');
			expect(spoken(await poll()).state).toBe('complete');
			expect(asked().filter((path) => path.includes('_lastUpdated')).length).toBe(1);
		});
	}
);

test('[A96] the same moment in other words is believed', async () => {
	const inDenver = other(`ge2026-06-01T06:08:00-06:00`);
	await follow({ slots: slots(40), perPage: 2, tells: inDenver }, async ({ poll }) => {
		await poll();
		expect(spoken(await poll()).state).toBe('partial');
	});
});

test.each([
	['a list', '[]'],
	['a page in HTML', '<html>'],
	['another resource', '{"resourceType":"OperationOutcome"}'],
	['a Bundle cut off', '{"resourceType":"Bundle","entry":[{"fullUrl":"x","resource":{'],
	['entries that are no list', '{"resourceType":"Bundle","entry":{"a":1}}']
])('[A37] %s is no Bundle', (_name, text) => {
	expect(openBundle(Buffer.from(text))).toBeNull();
});

/** The entries as cut, or null when a piece does not parse: then the whole Bundle is parsed. */
const piecesOrNothing = (body: Buffer): unknown[] | null => {
	try {
		return piecesOf(must(openBundle(body)).body).map((piece): unknown => JSON.parse(textOf(piece)));
	} catch {
		return null;
	}
};

test.each([
	['nothing after the entries', '{"resourceType":"Bundle","entry":[{"a":1},{"a":2}]}'],
	['links after them', '{"resourceType":"Bundle","entry":[{"a":1},{"a":2}],"link":[{"a":"]}"}]}'],
	['an empty list', '{"resourceType":"Bundle","entry":[]}'],
	['no list', '{"resourceType":"Bundle","total":0}'],
	['spaces everywhere', '{ "resourceType" : "Bundle", "entry" : [ {"a":1}, {"a":2} ] }'],
	[
		'an inner Bundle',
		'{"resourceType":"Bundle","entry":[{"a":{"entry":[{"a":1},{"a":2}]}},{"a":3}]}'
	],
	['entries that begin differently', '{"resourceType":"Bundle","entry":[{"a":1},{"b":2},{"a":3}]}'],
	['edges inside texts', '{"resourceType":"Bundle","entry":[{"a":"},{\\"a\\":"},{"a":"]}"}]}']
])('[A37] a Bundle with %s is cut as it is parsed', (_name, text) => {
	const body = Buffer.from(text);
	const parsed = must(openParsed(body));
	const expected = piecesOf(parsed.body).map((piece): unknown => JSON.parse(textOf(piece)));
	expect(piecesOrNothing(body) ?? expected).toEqual(expected);
	expect(must(openBundle(body)).shell['resourceType']).toBe('Bundle');
});

test('[A37] a Bundle that cannot be cut is read all the same', async () => {
	const inner = {
		fullUrl: 'x',
		resource: { resourceType: 'Basic', entry: [{ fullUrl: 'y' }, { fullUrl: 'z' }] }
	};
	const body = bundle(slots(3).map(slotOf));
	const mixed = { ...body, entry: [body.entry[0], inner, ...body.entry.slice(1)] };
	const over: World['over'] = ({ url }) =>
		url.pathname.endsWith('/Slot') ? { body: mixed } : undefined;
	await follow({ slots: [], perPage: 1, over }, async ({ poll }) => {
		const answer = await poll();
		expect(factsOf(answer)).toHaveLength(3);
		expect(spoken(answer).flags.badRecords).toBe(0);
		expect(spoken(await poll()).listing.form).toBe('unchanged');
	});
});
