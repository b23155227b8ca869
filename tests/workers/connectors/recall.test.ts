// Recognising an answer that another worker read: by validators and digests, without its bodies.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Fingerprint } from '#domain/answer.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import type { PollRequest } from '#workers/connectors/connector.ts';
import { startFakeServer, type Asked, type Told } from './fake-server.ts';
import {
	createPoller,
	factsOf,
	instantOf,
	makeConnectors,
	makeSource,
	spoken
} from './poll-once.ts';
import { answerSlots, date, follow, slots, type World } from './providers/fhir-world.ts';

const now = instantOf('2026-06-01T12:00:00Z');

const lines = (...resources: readonly object[]): string =>
	resources.map((each) => `${JSON.stringify(each)}\n`).join('');

const slot = (id: string, hour: number, over: object = {}) => ({
	resourceType: 'Slot',
	id,
	schedule: { reference: 'Schedule/a' },
	status: 'free',
	start: new Date(now + hour * HOUR_MS).toISOString(),
	end: new Date(now + hour * HOUR_MS + 20 * MINUTE_MS).toISOString(),
	...over
});

type Publication = {
	/** By path. A manifest of all of them goes along. */
	files: Record<string, string>;
	transactionTime: string;
	/** Sends validators and answers 304 to them. */
	hasEtags: boolean;
	over?: (path: string) => Told | undefined;
};

const publication = (over: Partial<Publication> = {}): Publication => ({
	files: {
		'/Schedule': lines({ resourceType: 'Schedule', id: 'a', actor: [{ display: 'Dr A' }] }),
		'/Slot/1': lines(slot('s1', 20), slot('s2', 21, { status: 'busy' })),
		'/Slot/2': lines(slot('s3', 44))
	},
	transactionTime: '2026-06-01T11:59:00Z',
	hasEtags: true,
	...over
});

const etagOf = (body: string): string => `"${createHash('sha256').update(body).digest('hex')}"`;

type Turn = Partial<PollRequest> & {
	readonly at?: number;
	readonly notes?: object;
	readonly name?: string;
};

/** A publication polled by workers that have kept nothing: what one read is told to the next. */
const publish = async (
	world: Publication,
	work: (parts: {
		poll: (turn?: Turn) => ReturnType<ReturnType<typeof createPoller>['poll']>;
		/** `path` of each request since the last call; `path?` where it was conditional. */
		asked: () => string[];
	}) => Promise<void>
): Promise<void> => {
	await using server = await startFakeServer(({ url, headers }) => {
		const path = url.pathname;
		const told = world.over?.(path);
		if (told !== undefined) return told;
		const manifest = {
			transactionTime: world.transactionTime,
			output: Object.keys(world.files).map((name) => ({
				type: must(name.split('/')[1]),
				url: `${server.url}${name}`
			}))
		};
		const body = path === '/$bulk-publish' ? JSON.stringify(manifest) : world.files[path];
		if (body === undefined) return { status: 404 };
		if (!world.hasEtags) return { body };
		const etag = etagOf(body);
		const isKnown = headers['if-none-match'] === etag;
		return { status: isKnown ? 304 : 200, headers: { etag }, body: isKnown ? '' : body };
	});
	let seen = 0;
	const asked = (): string[] => {
		const since = server.asked.slice(seen);
		seen = server.asked.length;
		return since
			.map(({ url, headers }) => `${url.pathname}${'if-none-match' in headers ? '?' : ''}`)
			.toSorted();
	};
	const poll = async ({ at = now, notes = {}, name = 'Clinic', ...over }: Turn = {}) => {
		await using connectors = makeConnectors();
		const source = makeSource({
			kind: 'smart-scheduling-links',
			url: `${server.url}/$bulk-publish`,
			booking: 'link',
			name,
			notes: { zone: 'America/Denver', ...notes }
		});
		return await createPoller(connectors['smart-scheduling-links'], source, () => at).poll(over);
	};
	await work({ poll, asked });
};

const printedBy = (answer: Parameters<typeof spoken>[0]): Fingerprint =>
	must(spoken(answer).fingerprint?.(), 'fingerprint');

const everything = ['/$bulk-publish?', '/Schedule?', '/Slot/1?', '/Slot/2?'];

test('[N20] a publication is seen to be as it was by its validators alone', async () => {
	await publish(publication(), async ({ poll, asked }) => {
		const first = await poll();
		asked();
		const again = spoken(await poll({ fingerprint: printedBy(first), cursor: { files: 4 } }));
		expect(asked()).toEqual(everything);
		expect(again).toMatchObject({
			state: 'complete',
			listing: { form: 'unchanged' },
			schedules: null,
			flags: spoken(first).flags,
			cursor: { files: 4 },
			validAt: instantOf('2026-06-01T11:59:00Z'),
			bytes: 0
		});
	});
});

test('[N20] where no validators are sent, what was fetched is compared with what it was', async () => {
	await publish(publication({ hasEtags: false }), async ({ poll, asked }) => {
		const fingerprint = printedBy(await poll());
		asked();
		expect(spoken(await poll({ fingerprint })).listing).toEqual({ form: 'unchanged' });
		expect(asked()).toEqual(everything.map((path) => path.slice(0, -1)));
	});
});

test('[N20] a manifest that names the same files at a later time is no change', async () => {
	const world = publication();
	await publish(world, async ({ poll }) => {
		const fingerprint = printedBy(await poll());
		world.transactionTime = '2026-06-01T12:00:30Z';
		expect(spoken(await poll({ fingerprint }))).toMatchObject({
			listing: { form: 'unchanged' },
			validAt: instantOf('2026-06-01T12:00:30Z')
		});
	});
});

test('[N21] a file that changed makes everything be read, and is fetched once', async () => {
	const world = publication();
	await publish(world, async ({ poll, asked }) => {
		const fingerprint = printedBy(await poll());
		world.files['/Slot/1'] = lines(slot('s1', 20, { status: 'busy' }));
		asked();
		const answer = await poll({ fingerprint });
		expect(factsOf(answer).map(({ sourceSlotId, status }) => [sourceSlotId, status])).toEqual([
			['s1', 'busy'],
			['s3', 'free']
		]);
		const again = asked();
		expect(again.filter((path) => path.startsWith('/Slot/1'))).toEqual(['/Slot/1?']);
		expect(again.filter((path) => !path.endsWith('?'))).toEqual([
			'/$bulk-publish',
			'/Schedule',
			...(again.includes('/Slot/2?') ? ['/Slot/2'] : [])
		]);
		expect(printedBy(answer)).not.toEqual(fingerprint);
	});
});

test('[N21] a file more, or another order of them, is a change', async () => {
	const world = publication();
	await publish(world, async ({ poll }) => {
		const fingerprint = printedBy(await poll());
		world.files['/Slot/3'] = lines(slot('s4', 45));
		expect(factsOf(await poll({ fingerprint }))).toHaveLength(4);
	});
});

test('[N21] a file that cannot be had is asked for once and makes the answer partial', async () => {
	const world = publication();
	await publish(world, async ({ poll, asked }) => {
		const fingerprint = printedBy(await poll());
		asked();
		world.over = (path) => (path === '/Slot/2' ? { status: 503 } : undefined);
		expect(spoken(await poll({ fingerprint })).state).toBe('partial');
		expect(asked().filter((path) => path.startsWith('/Slot/2'))).toEqual(['/Slot/2?']);
		world.over = () => ({ status: 503 });
		expect(await poll({ fingerprint })).toMatchObject({ state: 'silent', reason: 'http_error' });
		expect(asked()).toEqual(['/$bulk-publish?']);
	});
});

test.each([
	['a slot that comes into the window', { at: now + 30 * 24 * HOUR_MS }],
	['a full reading', { wantFull: true }],
	['a window of before', { at: now - MINUTE_MS }],
	['a fingerprint of another form', { fingerprint: { form: 0 } }],
	['none', { fingerprint: null }]
])('[N21] %s: everything is read', async (_name, turn: Turn) => {
	const world = publication();
	world.files['/Slot/2'] = lines(slot('s3', 44), slot('far', 40 * 24));
	await publish(world, async ({ poll, asked }) => {
		const fingerprint = printedBy(await poll());
		asked();
		expect(spoken(await poll({ fingerprint, ...turn })).listing.form).toBe('full');
		expect(asked()).toEqual(everything.map((path) => path.slice(0, -1)));
	});
});

test('[N21] what another version read is read again', async () => {
	await publish(publication(), async ({ poll }) => {
		const fingerprint = { ...printedBy(await poll()), about: 'read by another version' };
		expect(factsOf(await poll({ fingerprint }))).toHaveLength(3);
	});
});

test('[N21] with other notes or another name the same files may mean something else', async () => {
	await publish(publication(), async ({ poll }) => {
		const fingerprint = printedBy(await poll());
		expect(factsOf(await poll({ fingerprint, notes: { kinds: ['video'] } }))).toHaveLength(3);
		expect(spoken(await poll({ fingerprint, name: 'Clinic Two' })).listing.form).toBe('full');
	});
});

/** Pages with an ETag each. */
const answerPage = (world: World, asked: Asked): Told | undefined => {
	if (!asked.url.pathname.endsWith('/Slot')) return undefined;
	const told = answerSlots(world, `http://${asked.headers.host}`, asked);
	const etag = etagOf(JSON.stringify(told.body));
	const headers = { date, etag };
	if (asked.headers['if-none-match'] === etag) return { status: 304, headers };
	return { ...told, headers };
};

const clinic = () => {
	const world: World & { over: NonNullable<World['over']> } = {
		slots: slots(12),
		perPage: 4,
		over: (asked) => answerPage(world, asked)
	};
	return world;
};

/** As a worker that has kept nothing. */
const anew = (fingerprint: Fingerprint, over: Turn = {}) => ({ basis: null, fingerprint, ...over });

const pagesOf = (asked: readonly string[]) =>
	asked.map((path) => new URLSearchParams(path.split('?')[1]).get('page') ?? path.split('?')[0]);

test('[N20] a listing of pages is seen to be as it was by its pages alone', async () => {
	const world = clinic();
	await follow(world, async ({ poll, asked }) => {
		const first = await poll();
		const before = asked().length;
		const again = spoken(await poll(anew(printedBy(first))));
		expect(again).toMatchObject({
			state: 'complete',
			listing: { form: 'unchanged' },
			schedules: null,
			flags: spoken(first).flags,
			validAt: spoken(first).validAt
		});
		expect(pagesOf(asked().slice(before)).toSorted()).toEqual(['/fhir/Slot', '1', '2'].toSorted());
	});
});

test('[N21] a page that changed makes all of them be read', async () => {
	const world = clinic();
	await follow(world, async ({ poll, asked }) => {
		const fingerprint = printedBy(await poll());
		must(world.slots[5]).status = 'busy';
		const before = asked().length;
		const facts = factsOf(await poll(anew(fingerprint)));
		expect(facts.find(({ sourceSlotId }) => sourceSlotId === 's5')?.status).toBe('busy');
		expect(facts).toHaveLength(12);
		const again = pagesOf(asked().slice(before));
		expect(again.filter((page) => page === '1')).toHaveLength(1);
		expect(again.filter((page) => page === '/fhir/Slot')).toHaveLength(2);
	});
});

test('[N21] a page that is gone makes all of them be asked for again', async () => {
	const world = clinic();
	await follow(world, async ({ poll }) => {
		const fingerprint = printedBy(await poll());
		const usual = world.over;
		const told = new Set<string>();
		world.over = (asked) => {
			const page = asked.url.searchParams.get('page') ?? '';
			const isFirst = !told.has(page);
			told.add(page);
			return page === '2' && isFirst ? { status: 410, body: {} } : usual(asked);
		};
		// The page that was asked for is not asked for twice in one poll: what came is told.
		expect(spoken(await poll(anew(fingerprint))).state).toBe('partial');
		expect(factsOf(await poll({ basis: null }))).toHaveLength(12);
	});
});

test('[N21] an hour later the search and the directory are asked for again', async () => {
	await follow(clinic(), async ({ poll, asked, later }) => {
		const fingerprint = printedBy(await poll());
		const before = asked().length;
		later(61 * MINUTE_MS);
		expect(spoken(await poll(anew(fingerprint))).listing.form).toBe('full');
		expect(pagesOf(asked().slice(before))).toContain('/fhir/Schedule');
	});
});

test('[N20] only a complete answer has a fingerprint', async () => {
	const world = clinic();
	await follow(world, async ({ poll }) => {
		const usual = world.over;
		world.over = (asked) =>
			asked.url.searchParams.get('page') === '2' ? { status: 503 } : usual(asked);
		const answer = spoken(await poll());
		expect([answer.state, answer.fingerprint?.() ?? null]).toEqual(['partial', null]);
	});
});

test('[N4] a clinic that was renamed is told by its new name at once', async () => {
	const world = clinic();
	await follow(world, async ({ poll, url }) => {
		const named = (name: string) => makeSource({ kind: 'fhir-slots', url: `${url}/fhir/`, name });
		const first = spoken(await poll({ source: named('Old name') }));
		expect(first.schedules?.[0]?.organizationName).toBe('Old name');
		const next = spoken(await poll({ source: named('New name') }));
		expect(next.schedules?.[0]?.organizationName).toBe('New name');
	});
});
