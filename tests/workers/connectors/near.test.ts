// Polls of the near days: what is asked for, what is kept, and when asking for less is of any use.
import { expect, test } from 'vitest';
import { NEAR_MS } from '#domain/polling/near.ts';
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { askOnce } from '#workers/connectors/ask-once.ts';
import { startFakeServer, type Asked, type Told } from './fake-server.ts';
import {
	createPoller,
	factsOf,
	instantOf,
	makeConnectors,
	makeSource,
	spoken
} from './poll-once.ts';

const now = instantOf('2026-06-01T12:10:00Z');
const near = { nearMs: NEAR_MS };

type Slot = { id: string; startsAt: number; status: string };

/** One slot every `everyMs`, from the next hour on. */
const slotsEvery = (everyMs: number, count: number): Slot[] =>
	Array.from({ length: count }, (_, at) => ({
		id: `s${at}`,
		startsAt: now + 50 * MINUTE_MS + at * everyMs,
		status: 'free'
	}));

type World = { slots: Slot[]; perPage: number; ignoresWindow?: boolean; tells?: boolean };

const resourceOf = ({ id, startsAt, status }: Slot) => ({
	resourceType: 'Slot',
	id,
	schedule: { reference: 'Schedule/a' },
	status,
	start: new Date(startsAt).toISOString(),
	end: new Date(startsAt + 20 * MINUTE_MS).toISOString()
});

const bundle = (resources: readonly object[], links: object[] = []) => ({
	resourceType: 'Bundle',
	type: 'searchset',
	link: links,
	entry: resources.map((resource) => ({ resource }))
});

/** A FHIR server with pages and ETags. */
const answerFhir = (world: World, { url, headers }: Asked): Told => {
	const type = url.pathname.split('/').at(-1);
	if (type === 'Schedule') {
		return { body: bundle([{ resourceType: 'Schedule', id: 'a', actor: [{ display: 'Dr A' }] }]) };
	}
	if (type !== 'Slot') return { status: 404, body: {} };
	const [, to = ''] = url.searchParams.getAll('start');
	const end = world.ignoresWindow === true ? Infinity : Date.parse(to.slice(2));
	const listed = world.slots.filter(({ startsAt }) => startsAt < end);
	const page = Number(url.searchParams.get('page') ?? 0);
	const next = new URL(url);
	next.searchParams.set('page', String(page + 1));
	const self = new URL(url);
	if (world.tells === false) self.searchParams.delete('start');
	const text = JSON.stringify(
		bundle(listed.slice(page * world.perPage, (page + 1) * world.perPage).map(resourceOf), [
			{ relation: 'self', url: self.pathname + self.search },
			...((page + 1) * world.perPage < listed.length
				? [{ relation: 'next', url: next.pathname + next.search }]
				: [])
		])
	);
	const etag = `"${fingerprintOf(text)}"`;
	return headers['if-none-match'] === etag
		? { status: 304, headers: { etag } }
		: { headers: { etag }, body: text };
};

/** Small enough a fingerprint for a test. */
const fingerprintOf = (text: string): number => {
	let hash = 0;
	for (let at = 0; at < text.length; at += 1) hash = (hash * 31 + text.charCodeAt(at)) | 0;
	return hash;
};

const withFhir = async (
	world: World,
	work: (parts: {
		poll: ReturnType<typeof createPoller>['poll'];
		asked: () => URL[];
		settings: SourceSettings;
		later: (ms: number) => void;
	}) => Promise<void>
): Promise<void> => {
	await using server = await startFakeServer((asked) => answerFhir(world, asked));
	await using connectors = makeConnectors();
	const settings = makeSource({ kind: 'fhir-slots', url: `${server.url}/fhir` });
	let at: number = now;
	const connector = connectors['fhir-slots'];
	// The basis of each kind of poll, as the job keeps it.
	const whole = createPoller(connector, settings, () => at);
	const tokens = { near: null as string | null, turn: 0 };
	const poll: typeof whole.poll = async (over = {}) => {
		if (over.nearMs === undefined) return await whole.poll(over);
		tokens.turn += 1;
		const token = `near-${tokens.turn}`;
		const answer = await whole.poll({ basis: tokens.near, token, commit: false, ...over });
		connector.settle(settings.key, token, answer.state !== 'silent', true);
		if (answer.state !== 'silent') tokens.near = token;
		return answer;
	};
	const asked = () =>
		server.asked.map(({ url }) => url).filter(({ pathname }) => pathname.endsWith('/Slot'));
	await work({ poll, asked, settings, later: (ms) => (at += ms) });
};

const endOf = (url: URL | undefined): string | undefined => url?.searchParams.getAll('start')[1];

test('[A100] the near days are asked for by whole hours, with the same search; no later slot is told', async () => {
	const world = { slots: slotsEvery(6 * HOUR_MS, 50), perPage: 10 };
	await withFhir(world, async ({ poll, asked, later }) => {
		const answer = spoken(await poll(near));
		expect(asked()[0]?.searchParams.getAll('start')).toEqual([
			'ge2026-06-01T12:00:00Z',
			'lt2026-06-04T13:00:00Z'
		]);
		expect(answer.window).toEqual({ from: now, to: instantOf('2026-06-04T13:00:00Z') });
		expect(factsOf(answer)).toHaveLength(12);
		expect(asked()).toHaveLength(2);
		// Within the hour the address is the same, so that the server may say "not modified".
		later(40 * MINUTE_MS);
		expect(spoken(await poll(near))).toMatchObject({ listing: { form: 'unchanged' }, bytes: 0 });
		later(20 * MINUTE_MS);
		await poll(near);
		expect(endOf(asked().at(-1))).toBe('lt2026-06-04T14:00:00Z');
	});
});

test('[A101] near and whole answers are each told against the last of their own kind', async () => {
	const world = { slots: slotsEvery(6 * HOUR_MS, 50), perPage: 10 };
	await withFhir(world, async ({ poll }) => {
		expect(factsOf(await poll())).toHaveLength(50);
		expect(factsOf(await poll(near))).toHaveLength(12);
		world.slots = world.slots.map((slot) =>
			['s3', 's40'].includes(slot.id) ? { ...slot, status: 'busy' } : slot
		);
		expect(spoken(await poll(near)).listing).toMatchObject({
			form: 'delta',
			changed: [{ sourceSlotId: 's3', status: 'busy' }],
			gone: []
		});
		expect(spoken(await poll()).listing).toMatchObject({
			changed: [
				{ sourceSlotId: 's3', status: 'busy' },
				{ sourceSlotId: 's40', status: 'busy' }
			]
		});
		expect(spoken(await poll(near)).listing).toEqual({ form: 'unchanged' });
		expect(spoken(await poll()).listing).toEqual({ form: 'unchanged' });
	});
});

test.each([
	['three pages', { slots: slotsEvery(6 * HOUR_MS, 50), perPage: 20 }, true],
	['one page of many slots', { slots: slotsEvery(MINUTE_MS, 501), perPage: 1_000 }, true],
	['one page', { slots: slotsEvery(6 * HOUR_MS, 50), perPage: 50 }, false],
	[
		'pages, though the server says it did not filter',
		{ slots: slotsEvery(6 * HOUR_MS, 50), perPage: 20, tells: false },
		false
	],
	[
		'times far beyond the window',
		{ slots: slotsEvery(DAY_MS, 50), perPage: 20, ignoresWindow: true },
		false
	]
])(
	'[A102] after a listing of %s, asking for less is worth it: %j %s',
	async (_name, world, worth) => {
		await withFhir(world, async ({ poll }) => {
			expect(spoken(await poll()).canNarrow).toBe(worth);
		});
	}
);

test('[A102] a server that lists everything whatever it is asked for is found out by a near answer', async () => {
	const world = { slots: slotsEvery(6 * HOUR_MS, 40), perPage: 10, ignoresWindow: true };
	await withFhir(world, async ({ poll }) => {
		expect(spoken(await poll()).canNarrow).toBe(true);
		const answer = spoken(await poll(near));
		expect(answer.canNarrow).toBe(false);
		expect(factsOf(answer)).toHaveLength(12);
	});
	// One that knows whole days only does what it can.
	const days = { slots: slotsEvery(6 * HOUR_MS, 15), perPage: 4, ignoresWindow: true };
	await withFhir(days, async ({ poll }) => {
		expect(spoken(await poll(near)).canNarrow).toBe(true);
	});
});

const iso = (at: number): string => new Date(at).toISOString();

const calTimes = ({ url }: Asked): Told => {
	const [start, end] = ['start', 'end'].map((name) => Date.parse(url.searchParams.get(name) ?? ''));
	const times = slotsEvery(HOUR_MS / 2, 600)
		.filter(({ startsAt }) => startsAt >= (start ?? 0) && startsAt < (end ?? 0))
		.map(({ startsAt }) => ({ start: iso(startsAt), end: iso(startsAt + 20 * MINUTE_MS) }));
	return { body: { status: 'success', data: { '2026-06-01': times } } };
};

const proposals = ({ url }: Asked): Told => {
	const [start, end] = ['start', 'end'].map((name) => Date.parse(url.searchParams.get(name) ?? ''));
	const found = slotsEvery(HOUR_MS / 2, 600)
		.filter(({ startsAt }) => startsAt >= (start ?? 0) && startsAt < (end ?? 0))
		.map(({ id, startsAt }) => ({
			resourceType: 'Appointment',
			id,
			status: 'proposed',
			start: iso(startsAt),
			end: iso(startsAt + 20 * MINUTE_MS),
			participant: [{ actor: { reference: 'Practitioner/a', display: 'Dr A' } }]
		}));
	return { body: bundle(found) };
};

type Api = readonly ['cal-com' | 'fhir-operations', SourceSettings['notes'], typeof calTimes];

test.each<Api>([
	['cal-com', { calEventTypes: [{ id: 7 }] }, calTimes],
	['fhir-operations', { find: { style: 'argonaut', holds: false } }, proposals]
])('[A100][A102] %s takes a window too', async (kind, notes, answer) => {
	await using server = await startFakeServer(answer);
	await using connectors = makeConnectors({ secretOf: async () => 'key' });
	const source = makeSource({ kind, url: `${server.url}/fhir`, notes });
	const { poll } = createPoller(connectors[kind], source, () => now);
	const whole = spoken(await poll());
	expect(whole.canNarrow).toBe(true);
	expect(factsOf(whole)).toHaveLength(600);
	const first = spoken(await poll({ ...near, basis: null, commit: false }));
	expect(factsOf(first)).toHaveLength(144);
	expect(server.asked.map(({ url }) => url.searchParams.get('end'))).toEqual([
		'2026-06-15T13:00:00.000Z',
		'2026-06-04T13:00:00.000Z'
	]);
	expect(spoken(await poll()).listing).toEqual({ form: 'unchanged' });
});

test('[A104] who has no time in the near days keeps the name that the whole answer told', async () => {
	const late = { startsAt: now + 9 * DAY_MS };
	const notes = {
		find: { style: 'argonaut' as const, holds: false, practitioners: ['Practitioner/b'] }
	};
	await using server = await startFakeServer((asked) => {
		const end = Date.parse(asked.url.searchParams.get('end') ?? '');
		const { body } = proposals(asked) as { body: { entry: object[] } };
		const resource = {
			resourceType: 'Appointment',
			status: 'proposed',
			start: iso(late.startsAt),
			end: iso(late.startsAt + 20 * MINUTE_MS),
			participant: [{ actor: { reference: 'Practitioner/b', display: 'Dr B' } }]
		};
		return late.startsAt < end
			? { body: { ...body, entry: [...body.entry, { resource }] } }
			: { body };
	});
	await using connectors = makeConnectors({ secretOf: async () => 'key' });
	const source = makeSource({ kind: 'fhir-operations', url: `${server.url}/fhir`, notes });
	const { poll } = createPoller(connectors['fhir-operations'], source, () => now);
	const namesOf = async (over: Parameters<typeof poll>[0]) =>
		spoken(await poll(over)).schedules?.map(({ practitionerName }) => practitionerName);
	expect(await namesOf({})).toEqual(['Dr A', 'Dr B']);
	expect(await namesOf({ ...near, basis: null, commit: false })).toEqual(['Dr A']);
});

test('[A103] a try, and an answer that is read again, are about the whole window', async () => {
	await withFhir(
		{ slots: slotsEvery(6 * HOUR_MS, 50), perPage: 10 },
		async ({ asked, settings }) => {
			const answer = await askOnce({ allowPrivate: true }, { settings, secret: null, nowMs: now });
			expect(factsOf(answer)).toHaveLength(50);
			expect(endOf(asked()[0])).toBe('lt2026-06-15T13:00:00Z');
		}
	);
});
