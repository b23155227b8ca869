// Publishers asked with `_since`: those that honour it, those that ignore it with and without
// saying so, deletions, clocks, and whole listings in between.
import { expect, test } from 'vitest';
import type { SpokenAnswer } from '#domain/answer.ts';
import { applyChanges, diffDelta, diffFull } from '#domain/slot-diff.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import type { RunningClinic } from '../../../../demo/clinics/start.ts';
import { openClinics } from '../../../demo/clinics/support.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import {
	createPoller,
	factsOf,
	instantOf,
	makeConnectors,
	makeSource,
	spoken
} from '../poll-once.ts';

const startedAt = instantOf('2026-06-01T12:10:00Z');
const smart = 'http://fhir-registry.smarthealthit.org/StructureDefinition/';
const location = {
	resourceType: 'Location',
	id: 'l1',
	name: 'Clinic One',
	telecom: [{ system: 'phone', value: '555-0100' }],
	address: { city: 'Helena', state: 'MT', postalCode: '59601' }
};
const schedule = { resourceType: 'Schedule', id: 'a', actor: [{ reference: 'Location/l1' }] };

const timeOf = (at: number): string => {
	const hour = instantOf('2026-06-02T00:00:00-06:00') + at * 20 * MINUTE_MS;
	return new Date(hour).toISOString();
};
/** Long enough that a listing of 600 is worth more than the least that `_since` is used for. */
const slot = (at: number, over: object = {}) => ({
	resourceType: 'Slot',
	id: `s${at}`,
	schedule: { reference: 'Schedule/a' },
	status: at % 3 === 0 ? 'busy' : 'free',
	start: timeOf(at),
	end: timeOf(at + 1),
	extension: [{ url: `${smart}booking-deep-link`, valueUrl: `https://clinic.example/book/${at}` }],
	...over
});
type Record = ReturnType<typeof slot>;
const deletionOf = (url: string) => ({
	resourceType: 'Bundle',
	type: 'transaction',
	entry: [{ request: { method: 'DELETE', url } }]
});
const lines = (records: readonly object[]): string =>
	records.map((each) => `${JSON.stringify(each)}\n`).join('');

type Changes = { slots?: readonly object[]; deleted?: readonly object[]; manifest?: object };

/** A publisher of 600 slots whose answers to `_since` a test writes. */
const publish = async (count = 600) => {
	const world = {
		nowMs: startedAt as number,
		/** How far the publisher's clock is ahead of ours. */
		aheadMs: 0,
		slots: new Map<string, Record>(
			Array.from({ length: count }, (_, at) => [`s${at}`, slot(at)] as const)
		),
		changes: {} as Changes,
		/** How a publication answers `_since`. */
		since: 'honoured' as 'honoured' | 'ignored' | 'repeated' | 'refused',
		directory: [location, schedule] as readonly object[]
	};
	const manifest = (request: string, output: object[], more: object = {}): Told => ({
		headers: { 'cache-control': 'max-age=60' },
		body: {
			transactionTime: new Date(world.nowMs + world.aheadMs).toISOString(),
			request,
			output,
			...more
		}
	});
	const whole = () => [
		{ type: 'Location', url: '/directory' },
		{ type: 'Schedule', url: '/directory' },
		{ type: 'Slot', url: '/slots' }
	];
	const answerSince = ({ url }: Asked): Told => {
		const plain = `${server.url}/$bulk-publish`;
		const repeated = `${plain}${url.search}`;
		if (world.since === 'refused') return { status: 400 };
		if (world.since === 'ignored') return manifest(plain, whole());
		if (world.since === 'repeated') return manifest(repeated, whole());
		const { slots = [], deleted = [], manifest: more } = world.changes;
		return manifest(repeated, slots.length > 0 ? [{ type: 'Slot', url: '/changed' }] : [], {
			...(deleted.length > 0 && { deleted: [{ url: '/deleted' }] }),
			...more
		});
	};
	const server = await startFakeServer((asked) => {
		const { pathname, searchParams } = asked.url;
		if (pathname === '/$bulk-publish') {
			return searchParams.has('_since')
				? answerSince(asked)
				: manifest(`${server.url}/$bulk-publish`, whole());
		}
		if (pathname === '/directory') return { body: lines(world.directory) };
		if (pathname === '/slots') return { body: lines([...world.slots.values()]) };
		if (pathname === '/changed') return { body: lines(world.changes.slots ?? []) };
		return { body: lines(world.changes.deleted ?? []) };
	});
	return { server, world };
};

type Published = Awaited<ReturnType<typeof publish>>;

const follow = ({ server, world }: Published, over: object = {}) => {
	const connectors = makeConnectors();
	const url = `${server.url}/$bulk-publish`;
	const source = makeSource({ kind: 'smart-scheduling-links', url, ...over });
	const connector = connectors['smart-scheduling-links'];
	const poller = createPoller(connector, source, () => world.nowMs);
	return {
		/** One poll, a minute later. */
		poll: async (): Promise<SpokenAnswer> => {
			world.nowMs += MINUTE_MS;
			return spoken(await poller.poll());
		},
		/** What the manifest was asked with since the last look; '' = plainly. */
		asked: (): string[] =>
			server.asked
				.splice(0)
				.filter(({ url: { pathname } }) => pathname === '/$bulk-publish')
				.map(({ url: asked }) => asked.searchParams.get('_since') ?? ''),
		[Symbol.asyncDispose]: async () => {
			await connectors.close();
			await server.close();
		}
	};
};

test('[A106] what changed is asked for from the publisher’s own time on, and told as an update', async () => {
	const published = await publish();
	await using follower = follow(published);
	const { world } = published;
	world.aheadMs = 365 * DAY_MS;
	await follower.poll();
	follower.asked();
	world.changes = { slots: [slot(1, { status: 'busy' })] };
	const answer = await follower.poll();
	expect(answer).toMatchObject({ state: 'partial', isUpdate: true, schedules: null });
	expect(answer.listing).toMatchObject({
		form: 'delta',
		changed: [{ sourceSlotId: 's1', status: 'busy' }],
		gone: []
	});
	const [since = ''] = follower.asked();
	// Two minutes before the transactionTime of the answer before.
	expect(Date.parse(since)).toBe(world.nowMs + world.aheadMs - 3 * MINUTE_MS);
	expect(answer.validAt).toBe(world.nowMs + world.aheadMs);
});

test('[A106] by the publisher’s clock alone, and not where it was set back', async () => {
	const published = await publish();
	await using follower = follow(published);
	const { world } = published;
	world.aheadMs = HOUR_MS;
	await follower.poll();
	expect((await follower.poll()).isUpdate).toBe(true);
	follower.asked();
	world.aheadMs = 0;
	expect((await follower.poll()).state).toBe('complete');
	const [wrong = '', plain] = follower.asked();
	expect(Date.parse(wrong)).toBe(world.nowMs - 3 * MINUTE_MS + HOUR_MS);
	expect(plain).toBe('');
	world.slots.set('s1', slot(1, { status: 'busy' }));
	await follower.poll();
	expect((await follower.poll()).isUpdate).toBe(true);
});

test('[A107] what is named as deleted is gone, and a slot that moved leaves its former time', async () => {
	const published = await publish();
	await using follower = follow(published);
	const { world } = published;
	const known = new Map<string, SlotKey>(
		factsOf(await follower.poll()).map((fact) => [fact.sourceSlotId, slotKeyOf(fact)])
	);
	const moved = slot(5, { start: timeOf(700), end: timeOf(701) });
	world.changes = {
		slots: [moved, slot(800)],
		deleted: [deletionOf('Slot/s4'), deletionOf('https://clinic.example/fhir/Slot/s7')]
	};
	const { listing } = await follower.poll();
	expect(listing).toMatchObject({
		form: 'delta',
		changed: [{ sourceSlotId: 's5' }, { sourceSlotId: 's800' }],
		gone: [known.get('s5'), known.get('s4'), known.get('s7')]
	});
	// It is told again because of the overlap, and what came by an update can go by one.
	world.changes = { deleted: [deletionOf('Slot/s4'), deletionOf('Slot/s800')] };
	const second = (await follower.poll()).listing;
	expect(second).toMatchObject({ form: 'delta', changed: [] });
	expect(second.form === 'delta' && second.gone).toHaveLength(1);
});

test.each([
	['a slot both changed and deleted', { slots: [slot(1)], deleted: [deletionOf('Slot/s1')] }],
	['a schedule deleted', { deleted: [deletionOf('Schedule/a')] }],
	['a line that deletes nothing', { deleted: [{ resourceType: 'Slot', id: 's1' }] }],
	[
		'a slot of an unknown schedule',
		{ slots: [slot(1, { schedule: { reference: 'Schedule/z' } })] }
	],
	['a broken slot', { slots: [slot(1, { start: 'soon' })] }],
	['an id twice', { slots: [slot(1), slot(1, { start: timeOf(900), end: timeOf(901) })] }],
	['another slot at a time that is taken', { slots: [slot(1, { id: 'other' })] }],
	['a slot moved onto another', { slots: [slot(1, { start: timeOf(2), end: timeOf(3) })] }],
	['a file that does not come', { manifest: { deleted: [{ url: 'http://127.0.0.1:9/none' }] } }],
	['a deleted file without address', { manifest: { deleted: [{ type: 'Bundle' }] } }],
	['a new describing file', { manifest: { output: [{ type: 'Schedule', url: '/changed' }] } }],
	['more pages', { manifest: { link: [{ relation: 'next', url: '/more' }] } }]
])('[A107] %s makes it a whole listing', async (_name, changes) => {
	const published = await publish();
	await using follower = follow(published);
	await follower.poll();
	published.world.changes = changes;
	const answer = await follower.poll();
	expect(answer.state).toBe('complete');
	expect(answer.listing.form).toBe('unchanged');
});

test('[A107] describing files that are named again and are the same do not matter', async () => {
	const published = await publish();
	await using follower = follow(published);
	await follower.poll();
	const output = [
		{ type: 'Schedule', url: '/directory' },
		{ type: 'Slot', url: '/changed' }
	];
	published.world.changes = { slots: [slot(1, { status: 'busy' })], manifest: { output } };
	expect((await follower.poll()).isUpdate).toBe(true);
	published.world.directory = [location, { ...schedule, comment: 'Evenings' }];
	expect((await follower.poll()).state).toBe('complete');
});

test.each(['ignored', 'repeated', 'refused'] as const)(
	'[A108] where `_since` is %s everything is read, and it is tried ever more rarely',
	async (since) => {
		const published = await publish();
		await using follower = follow(published);
		const { world } = published;
		world.since = since;
		await follower.poll();
		world.slots.delete('s1');
		const { state, listing } = await follower.poll();
		expect(state).toBe('complete');
		expect(listing).toMatchObject({ form: 'delta', changed: [] });
		expect(listing.form === 'delta' && listing.gone).toHaveLength(1);
		expect(follower.asked().filter((each) => each !== '')).toHaveLength(1);
		for (let polls = 0; polls < 9; polls += 1) await follower.poll();
		expect(follower.asked().every((each) => each === '')).toBe(true);
		const triedAt: number[] = [];
		for (let minute = 0; minute < 30; minute += 1) {
			// Something new each time, so that there is something to save.
			world.slots.set('s2', slot(2, { status: minute % 2 === 0 ? 'busy' : 'free' }));
			await follower.poll();
			if (follower.asked().some((each) => each !== '')) triedAt.push(minute);
		}
		expect(triedAt).toEqual([0, 20]);
	}
);

test('[A108] the operator’s note counts for more than what the manifest repeats', async () => {
	const silent = await publish();
	await using never = follow(silent, { notes: { asksSince: false } });
	for (let polls = 0; polls < 3; polls += 1) await never.poll();
	expect(never.asked()).toEqual(['', '', '']);
	const published = await publish();
	await using always = follow(published, { notes: { asksSince: true } });
	await always.poll();
	const request = `${published.server.url}/$bulk-publish`;
	published.world.changes = { slots: [slot(1, { status: 'busy' })], manifest: { request } };
	expect((await always.poll()).isUpdate).toBe(true);
});

test('[A109] `_since` is left alone where it saves little, or where a loss would not be told', async () => {
	const few = await publish(100);
	await using small = follow(few);
	for (let polls = 0; polls < 3; polls += 1) await small.poll();
	expect(small.asked()).toEqual(['', '', '']);
	const onlyFree = await publish();
	for (const [id, each] of onlyFree.world.slots) {
		onlyFree.world.slots.set(id, { ...each, status: 'free' });
	}
	await using free = follow(onlyFree);
	for (let polls = 0; polls < 3; polls += 1) await free.poll();
	expect(free.asked()).toEqual(['', '', '']);
	const repeats = await publish();
	repeats.world.slots.set('again', slot(650, { id: 's1' }));
	await using repeated = follow(repeats);
	for (let polls = 0; polls < 3; polls += 1) await repeated.poll();
	expect(repeated.asked()).toEqual(['', '', '']);
});

test('[A109] whole listings come in between, within the source’s budget, and find what was not told', async () => {
	const published = await publish();
	await using follower = follow(published, { freshForMs: 4 * MINUTE_MS });
	const { world } = published;
	await follower.poll();
	world.slots.delete('s1');
	const states: string[] = [];
	let answer = await follower.poll();
	for (let polls = 0; polls < 6 && answer.isUpdate === true; polls += 1) {
		states.push(answer.state);
		answer = await follower.poll();
	}
	expect(states).toHaveLength(3);
	expect(factsOf(answer).some(({ sourceSlotId }) => sourceSlotId === 's1')).toBe(false);
	await using patient = follow(await publish(), { freshForMs: 60 * MINUTE_MS });
	const asked: string[] = [];
	for (let polls = 0; polls < 7; polls += 1) asked.push((await patient.poll()).state);
	expect(asked).toEqual(['complete', ...Array.from({ length: 5 }, () => 'partial'), 'complete']);
});

const apply = (known: Map<SlotKey, SlotFact>, answer: SpokenAnswer): Map<SlotKey, SlotFact> => {
	const { listing } = answer;
	if (listing.form === 'unchanged') return known;
	return listing.form === 'full'
		? applyChanges(known, diffFull(known, listing.facts, answer))
		: applyChanges(known, diffDelta(known, listing, answer));
};

const truthOf = (clinic: RunningClinic, from: number): string[] =>
	clinic
		.truth()
		.slots.filter(({ startAt }) => startAt >= from)
		.map((each) => `${each.practitionerId}-sch ${each.startAt} ${each.status === 'free'}`)
		.toSorted();

test('[A106] a living clinic that honours it is followed exactly, deletions and new times included', async () => {
	const openedAt = startedAt;
	let at = openedAt as number;
	const keys = ['tidewater-rural'];
	const of = { keys, slotCount: 900, seed: 11, pace: 400, startAt: openedAt, clock: () => at };
	const running = await openClinics(of);
	const [clinic] = running.clinics;
	if (clinic === undefined) throw new Error('no clinic');
	await using connectors = makeConnectors();
	const source = makeSource({ kind: 'smart-scheduling-links', url: clinic.url });
	const poller = createPoller(connectors['smart-scheduling-links'], source, running.now);
	// It remembers its changes since it was opened.
	at += 3 * MINUTE_MS;
	let known = new Map<SlotKey, SlotFact>();
	let updates = 0;
	for (let turn = 0; turn < 40; turn += 1) {
		at += 30 * SECOND_MS;
		running.step(0);
		const open = clinic.truth().slots.filter(({ status }) => status === 'free');
		clinic.setSlotStatus(open[turn % open.length]?.id ?? '', turn % 4 === 0 ? 'removed' : 'busy');
		const answer = spoken(await poller.poll());
		known = apply(known, answer);
		if (answer.isUpdate === true) updates += 1;
		const seen = [...known.values()]
			.filter(({ startsAt }) => startsAt >= running.now() - SECOND_MS)
			.map((fact) => `${fact.scheduleKey} ${fact.startsAt} ${fact.remaining > 0}`)
			.toSorted();
		expect(seen).toEqual(truthOf(clinic, running.now()));
	}
	expect(updates).toBeGreaterThan(20);
});
