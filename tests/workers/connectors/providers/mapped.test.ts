// Mappings: paths, times, words and pages; what they refuse, and why.
import { describe, expect, test } from 'vitest';
import { Mapping } from '#domain/mapping.ts';
import { toInstant } from '#domain/time.ts';
import { parseAnswer } from '#workers/connectors/providers/mapped-answers.ts';
import { allAt, scopesOf } from '#workers/connectors/providers/mapped-paths.ts';
import { timeBy } from '#workers/connectors/providers/mapped-times.ts';
import { startFakeServer, type Told } from '../fake-server.ts';
import { createPoller, factsOf, makeConnectors, makeSource, spoken } from '../poll-once.ts';

const slots = {
	each: [{ as: 'slot', at: 'slots[*]' }],
	id: 'slot.id',
	start: { at: 'slot.start', as: 'instant' },
	minutes: 30
} as const;
const zone = 'America/New_York';

test('[A60] paths find own things only, all of them, and nothing where there is nothing', () => {
	const answer = { a: { b: [{ c: 1 }, { c: 2 }, null, 'x'], d: { x: { c: 3 }, y: { c: 4 } } } };
	expect(allAt(answer, 'a.b[*].c')).toEqual([1, 2]);
	expect(allAt(answer, 'a.d[*].c')).toEqual([3, 4]);
	expect(allAt([[1], [2, 3]], '[*][*]')).toEqual([1, 2, 3]);
	expect(allAt(answer, 'a.constructor')).toEqual([]);
	expect(allAt(answer, 'a.b.length')).toEqual([]);
	expect(allAt(JSON.parse('{"__proto__":{"c":5}}'), '__proto__.c')).toEqual([5]);
	const levels = [
		{ as: 'one', at: 'a.d[*]' },
		{ as: 'two', at: 'c' }
	];
	expect(scopesOf(answer, levels).map(({ where }) => where)).toEqual([
		'one 1 two 1',
		'one 2 two 1'
	]);
});

test.each([
	['a path with a filter', { slots: { ...slots, id: 'slot[?(@.x)]' } }],
	['a path with an index', { slots: { ...slots, id: 'slot[0]' } }],
	['an empty path', { slots: { ...slots, id: '' } }],
	['neither slots nor schedules', {}],
	['no end and no length', { slots: { ...slots, minutes: undefined } }],
	['a word of no kind of time', { slots: { ...slots, start: { at: 'slot.start', as: 'soon' } } }],
	['an unknown field', { slots, script: 'return 1' }],
	['a header of the connection', { slots, request: { secret: { header: 'Content-Length' } } }]
])('[A60] a mapping with %s is refused', (_name, wrong) => {
	expect(Mapping.safeParse({ format: 'json', ...wrong }).success).toBe(false);
	expect(Mapping.safeParse({ format: 'json', slots }).success).toBe(true);
});

const wall = { at: 't', as: 'wall', order: 'ymd' } as const;
describe('times', () => {
	test.each([
		[{ t: '2026-12-01 09:30' }, wall, '2026-12-01T14:30:00.000Z'],
		[{ t: '2026-07-01T09:30:00.000' }, wall, '2026-07-01T13:30:00.000Z'],
		[{ t: '2026-07-01T09:30:00Z' }, wall, '2026-07-01T13:30:00.000Z'],
		[{ t: '2026-12-01T24:00' }, wall, '2026-12-02T05:00:00.000Z'],
		[{ t: '12/1/2026 1:05 PM' }, { ...wall, order: 'mdy' }, '2026-12-01T18:05:00.000Z'],
		[{ t: '01.12.2026 00:15' }, { ...wall, order: 'dmy' }, '2026-12-01T05:15:00.000Z'],
		[{ d: '2028-02-29', t: '12 am' }, { ...wall, at: ['d', 't'] }, '2028-02-29T05:00:00.000Z'],
		[{ t: '2026-11-01 01:30' }, wall, '2026-11-01T05:30:00.000Z'],
		[{ t: '2026-12-01 09:30' }, { ...wall, as: 'utc' }, '2026-12-01T09:30:00.000Z'],
		[{ t: '2026-12-01T09:30-05' }, { ...wall, as: 'instant' }, '2026-12-01T14:30:00.000Z'],
		[{ t: 1_796_133_600 }, { ...wall, as: 'epoch-seconds' }, '2026-12-01T14:00:00.000Z'],
		[{ t: '1796133600000' }, { ...wall, as: 'epoch-ms' }, '2026-12-01T14:00:00.000Z']
	] as const)('[A62] %j by %j is %s', (scope, rule, expected) => {
		const time = timeBy(scope, rule, { zone, trustsWall: false });
		expect(time.ok ? new Date(time.at).toISOString() : time.reason).toBe(expected);
	});

	test.each([
		[{ t: '2026-03-08 02:30' }, wall, 'is a time that the clocks skip'],
		[{ t: '2026-02-30 09:00' }, wall, 'is no date and time'],
		[{ t: '2026-12-01' }, wall, 'is no date and time'],
		[{ t: '2026-12-01 25:00' }, wall, 'is no date and time'],
		[{ t: '2026-12-01 13:00 PM' }, wall, 'is no date and time'],
		[{ t: '2026-12-01 09:30' }, { ...wall, as: 'instant' }, 'is no instant'],
		[{ t: 1_796_133_600 }, { ...wall, as: 'epoch-ms' }, 'is a count of time in other units'],
		[{ t: 'soon' }, { ...wall, as: 'epoch-ms' }, 'is no count of time'],
		[{ t: null }, wall, 'is missing'],
		[{}, wall, 'is missing']
	] as const)('[A62] %j by %j %s', (scope, rule, reason) => {
		expect(timeBy(scope, rule, { zone, trustsWall: false })).toEqual({ ok: false, reason });
	});

	test('[A62] a wall time in no known zone is refused, never taken for UTC', () => {
		const time = timeBy({ t: '2026-12-01 09:30' }, wall, { zone: null, trustsWall: false });
		expect(time).toMatchObject({ ok: false });
	});
});

test('[A63] CSV: quotes, marks, dirt; a row with other columns is refused', () => {
	const text =
		'\uFEFFid, start ,note\r\n1,2026-12-01T10:00:00Z,"a, ""b""\nc"\r\n\r\n2,short\r\n3,x,y,z\r\n';
	expect(parseAnswer(Buffer.from(text), { format: 'csv', delimiter: ',' })).toMatchObject({
		ok: true,
		value: [{ id: '1', start: '2026-12-01T10:00:00Z', note: 'a, "b"\nc' }],
		broken: [
			{ where: 'line 5', reason: 'the row has other columns than the header' },
			{ where: 'line 6', reason: 'the row has other columns than the header' }
		]
	});
	for (const text of ['', 'a,b\n1,"cut off']) {
		const parsed = parseAnswer(Buffer.from(text), { format: 'csv', delimiter: ',' });
		expect(parsed.ok && parsed.broken.length === 0).toBe(false);
	}
});

const now = Date.UTC(2026, 11, 1);
const pollOnce = async (answer: Parameters<typeof startFakeServer>[0], mapping: unknown) => {
	const server = await startFakeServer(answer);
	const connectors = makeConnectors({ secretOf: async () => 'key-1' });
	try {
		const notes = { zone, mapping: Mapping.parse(mapping) };
		const source = makeSource({ kind: 'mapped', url: `${server.url}/slots`, notes });
		const answered = await createPoller(connectors.mapped, source, () => toInstant(now)).poll();
		return { answered, asked: server.asked };
	} finally {
		await connectors.close();
		await server.close();
	}
};

const slot = (id: number, over: object = {}): object => ({
	id,
	start: new Date(now + id * 3_600_000).toISOString(),
	...over
});

test('[A64] a broken record is refused with its reason, the rest is kept', async () => {
	const body = {
		slots: [slot(1), { id: 2 }, slot(3, { start: 'soon' }), slot(4), slot(5), slot(6)]
	};
	const { answered } = await pollOnce(() => ({ body }), { format: 'json', slots });
	expect(answered).toMatchObject({
		state: 'complete',
		unreadSchedules: ['all'],
		flags: { records: 6, badRecords: 2 },
		refused: [
			{ where: 'page 1 slot 2', reason: 'start is missing' },
			{ where: 'page 1 slot 3', reason: 'start is no instant' }
		]
	});
	expect(factsOf(answered)).toHaveLength(4);
});

test('[A64] words that are not listed are not bookable, and counted', async () => {
	const status = { at: 'slot.state', words: { OPEN: 'free' } };
	const body = {
		slots: [slot(1, { state: 'OPEN' }), slot(2, { state: 'PERHAPS' }), slot(3, { state: 'OPEN' })]
	};
	const { answered } = await pollOnce(() => ({ body }), {
		format: 'json',
		slots: { ...slots, status }
	});
	expect(spoken(answered).flags).toMatchObject({ unknownStatuses: 1 });
	expect(factsOf(answered).map(({ remaining }) => remaining)).toEqual([1, 0, 1]);
});

test('[A64] links that are no plain web address are not taken over; places are numbers', async () => {
	const mapping = {
		format: 'json',
		slots: { ...slots, bookUrl: 'slot.page', remaining: 'slot.left' }
	};
	const body = {
		slots: [
			slot(1, { page: 'javascript:alert(1)', left: '3' }),
			slot(2, { page: 'https://vendor.example/2', left: 0 }),
			slot(3, { left: 'many' })
		]
	};
	const { answered } = await pollOnce(() => ({ body }), mapping);
	expect(factsOf(answered)).toMatchObject([
		{ bookUrl: null, remaining: 3, capacity: 3, status: 'free' },
		{ bookUrl: 'https://vendor.example/2', remaining: 0, status: 'busy' }
	]);
	expect(spoken(answered).refused).toMatchObject([{ reason: 'places left are no number' }]);
});

const paged = (paging: object) => ({ format: 'json', slots, paging });

test.each([
	[
		'by page',
		{ by: 'page', parameter: 'p', first: 0 },
		(url: URL) => Number(url.searchParams.get('p'))
	],
	[
		'by offset',
		{ by: 'offset', parameter: 'o', size: 2 },
		(url: URL) => Number(url.searchParams.get('o')) / 2
	]
])('[A65] pages %s end with the first one without records', async (_name, paging, pageOf) => {
	const { answered, asked } = await pollOnce(({ url }): Told => {
		const page = pageOf(url);
		return { body: { slots: page < 3 ? [slot(page * 2 + 1), slot(page * 2 + 2)] : [] } };
	}, paged(paging));
	expect(answered.state).toBe('complete');
	expect(factsOf(answered)).toHaveLength(6);
	expect(asked).toHaveLength(4);
});

test.each([
	['leads elsewhere', 'https://elsewhere.example/next', 'partial'],
	['runs in a circle', '/slots', 'partial'],
	['is no address', 'http://[', 'complete'],
	['is absent', undefined, 'complete']
])('[A65] a next page that %s is not followed', async (_name, next, state) => {
	const { answered, asked } = await pollOnce(
		() => ({ body: { slots: [slot(1)], next } }),
		paged({ by: 'link', at: 'next' })
	);
	expect(asked).toHaveLength(1);
	expect(answered.state).toBe(state);
});

test('[A65] a later page that fails makes the answer partial, the first one silent', async () => {
	const { answered } = await pollOnce(
		({ url }) =>
			url.searchParams.get('p') === '1' ? { body: { slots: [slot(1)] } } : { status: 500 },
		paged({ by: 'page', parameter: 'p' })
	);
	expect(answered).toMatchObject({ state: 'partial' });
	const first = await pollOnce(() => ({ status: 500 }), paged({ by: 'page', parameter: 'p' }));
	expect(first.answered).toMatchObject({ state: 'silent', reason: 'http_error' });
});

test('[A66] the window and the secret are put where the mapping says; a secret we lack is told', async () => {
	const mapping = {
		format: 'json',
		slots,
		request: { query: { since: '{from}', day: '{toDate}' }, secret: { header: 'x-api-key' } }
	};
	const { asked } = await pollOnce(() => ({ body: { slots: [slot(1)] } }), mapping);
	expect(asked[0]?.url.searchParams.get('since')).toBe('2026-12-01T00:00:00Z');
	expect(asked[0]?.url.searchParams.get('day')).toBe('2026-12-15');
	expect(asked[0]?.headers['x-api-key']).toBe('key-1');
	const connectors = makeConnectors();
	const source = makeSource({ kind: 'mapped', notes: { mapping: Mapping.parse(mapping) } });
	const answer = await createPoller(connectors.mapped, source, () => now).poll();
	expect(answer).toMatchObject({ state: 'silent', reason: 'misconfigured' });
	await connectors.close();
});

test('[A66] a GraphQL answer with errors is not taken for an empty one', async () => {
	const mapping = { format: 'json', slots, request: { graphql: { query: '{ slots }' } } };
	const body = { data: { slots: [] }, errors: [{ message: 'no' }] };
	const { answered, asked } = await pollOnce(() => ({ body }), mapping);
	expect(answered).toMatchObject({ state: 'silent', reason: 'not_understood' });
	expect(asked[0]).toMatchObject({ method: 'POST' });
});

test('[A61] a vendor that tells no times leaves every schedule unread', async () => {
	const mapping = {
		format: 'json',
		schedules: { each: [{ as: 'place', at: 'places[*]' }], key: 'place.id', state: 'place.state' }
	};
	const body = { places: [{ id: 'a', state: 'Montana' }, { id: 'b' }] };
	const { answered } = await pollOnce(() => ({ body }), mapping);
	expect(answered).toMatchObject({
		state: 'complete',
		unreadSchedules: ['a', 'b'],
		explicitEmpty: false
	});
	expect(spoken(answered).schedules?.map(({ regions }) => regions)).toEqual([['US-MT'], []]);
});
