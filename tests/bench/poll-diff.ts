// How long one poll blocks the worker: read a listing of 50,000 slots of which 1 % changed, against
// JSON.parse of the same body. Run: node tests/bench/poll-diff.ts
import { must } from '#domain/result.ts';
import { HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { openBundle } from '../../workers/connectors/bundle.ts';
import { readByDifference } from '../../workers/connectors/difference-reading.ts';
import { readInFull } from '../../workers/connectors/full-reading.ts';
import type { Ledger, Part, ReadOptions } from '../../workers/connectors/ledger.ts';
import { bodyOfLines } from '../../workers/connectors/pieces.ts';
import { createDirectory } from '../../workers/connectors/providers/directory.ts';
import { describeSchedules } from '../../workers/connectors/providers/schedule-facts.ts';
import { createSlotReader } from '../../workers/connectors/providers/slot-facts.ts';
import type { BenchResult } from './bench.ts';

const SLOTS = 50_000;
const SCHEDULES = 500;
const CHANGED = SLOTS / 100;
const ROUNDS = 25;
const START = Date.UTC(2026, 11, 1, 8);

type Form = 'bundle' | 'lines';

const statusOf = (at: number, turn: number): string =>
	(at * 7 + turn) % 3 === 0 ? 'busy' : 'free';

const slotText = (at: number, turn: number): string => {
	const startsAt = START + Math.floor(at / SCHEDULES) * 20 * MINUTE_MS;
	return JSON.stringify({
		resourceType: 'Slot',
		id: `slot-${at}`,
		meta: {
			versionId: String(1 + turn),
			lastUpdated: new Date(START - HOUR_MS + turn).toISOString()
		},
		schedule: { reference: `Schedule/schedule-${at % SCHEDULES}` },
		status: statusOf(at, turn),
		start: new Date(startsAt).toISOString(),
		end: new Date(startsAt + 20 * MINUTE_MS).toISOString()
	});
};

const bodyText = (form: Form, texts: readonly string[]): string => {
	if (form === 'lines') return `${texts.join('\n')}\n`;
	const entries = texts.map(
		(text, at) => `{"fullUrl":"https://clinic.example/fhir/Slot/${at}","resource":${text}}`
	);
	return `{"resourceType":"Bundle","type":"searchset","total":${texts.length},"entry":[${entries.join(',')}]}`;
};

const readerOf = (form: Form): ReadOptions => {
	const directory = createDirectory(
		Array.from({ length: SCHEDULES }, (_, at) => ({
			resource: { resourceType: 'Schedule', id: `schedule-${at}`, actor: [] }
		}))
	);
	const notes = { zone: 'America/Denver' };
	const schedules = describeSchedules(directory, { name: 'Clinic', notes });
	return {
		reader: createSlotReader({ directory, schedules, notes }, form === 'lines' ? 'file' : 'bundle'),
		window: { from: toInstant(START - HOUR_MS), to: toInstant(START + 400 * 24 * HOUR_MS) }
	};
};

const partsOf = (form: Form, bytes: Buffer): Part[] => [
	{
		name: 'listing',
		body: form === 'lines' ? bodyOfLines(bytes) : must(openBundle(bytes), 'Bundle').body
	}
];

const parseAll = (form: Form, bytes: Buffer): unknown =>
	form === 'bundle'
		? JSON.parse(bytes.toString('utf8'))
		: bytes
				.toString('utf8')
				.split('\n')
				.filter((line) => line !== '')
				.map((line): unknown => JSON.parse(line));

const time = (work: () => unknown): number => {
	const from = performance.now();
	work();
	return performance.now() - from;
};

type Scene = {
	name: string;
	goal: number;
	next: Buffer;
	before: Buffer;
	changes: number;
	isHabit: boolean;
};

const scenesOf = (form: Form): Scene[] => {
	const random = randomFrom(11);
	const texts = Array.from({ length: SLOTS }, (_, at) => slotText(at, 0));
	const changedAt = new Set<number>();
	while (changedAt.size < CHANGED) changedAt.add(Math.floor(random() * SLOTS));
	const edited = texts.map((text, at) => (changedAt.has(at) ? slotText(at, 1) : text));
	const order = Array.from({ length: SLOTS }, (_, at) => [random(), at] as const)
		.toSorted(([a], [b]) => a - b)
		.map(([, at]) => at);
	const before = Buffer.from(bodyText(form, texts));
	const entries = (order: readonly number[], list: readonly string[]): Buffer => {
		const moved = order.map((at) => list[at] ?? '');
		if (form === 'lines') return Buffer.from(bodyText(form, moved));
		// In a Bundle the entries keep their own fullUrl when they move.
		const all = order.map(
			(at) => `{"fullUrl":"https://clinic.example/fhir/Slot/${at}","resource":${list[at]}}`
		);
		const head = `{"resourceType":"Bundle","type":"searchset","total":${SLOTS},"entry":[`;
		return Buffer.from(`${head}${all.join(',')}]}`);
	};
	const same = { before, isHabit: false };
	const changes = CHANGED;
	const next = entries(order, edited);
	return [
		{ ...same, name: 'unchanged', goal: 0.05, next: Buffer.from(before), changes: 0 },
		{ ...same, name: '1 % changed', goal: 0.4, next: entries([...texts.keys()], edited), changes },
		{ ...same, name: '1 % changed, shuffled every time', goal: 0.6, next, changes, isHabit: true },
		{ ...same, name: '1 % changed, shuffled for once', goal: 0.6, next, changes }
	];
};

/** mulberry32; the one in tests/support needs the test runner. */
const randomFrom = (seed: number): (() => number) => {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
};

const median = (values: readonly number[]): number =>
	values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const measure = (form: Form, scene: Scene): BenchResult => {
	const how = readerOf(form);
	const ledger: Ledger = readInFull(partsOf(form, scene.before), how).settle();
	const ours: number[] = [];
	const values: number[] = [];
	for (let round = 0; round < ROUNDS + 5; round += 1) {
		// A fresh copy, as it comes from the network.
		const bytes = Buffer.from(scene.next);
		// A copy of the old body as well, so that no earlier round helps; but in a source that
		// shuffles every time the poll before has made the index of the old body, as here.
		const fresh = scene.isHabit
			? ledger
			: { ...ledger, parts: partsOf(form, Buffer.from(scene.before)) };
		let found = -1;
		const mine = time(() => {
			const reading = must(readByDifference(fresh, partsOf(form, bytes), how), 'difference');
			const { listing } = reading;
			found = listing.form === 'delta' ? listing.changed.length : 0;
		});
		if (found !== scene.changes) throw new Error(`${found} changes instead of ${scene.changes}`);
		const theirs = time(() => parseAll(form, bytes));
		if (round < 5) continue;
		ours.push(mine);
		values.push(theirs);
	}
	const ratio = median(ours) / median(values);
	const size = (scene.next.length / 1_048_576).toFixed(1);
	return {
		name: `poll of 50,000 slots, ${form}, ${scene.name}`,
		unit: 'ms',
		ours,
		baseline: { name: 'JSON.parse of the body', values },
		goal: `<= ${scene.goal} x JSON.parse`,
		met: ratio <= scene.goal,
		note: `${size} MiB; median ${median(ours).toFixed(2)} ms = ${ratio.toFixed(3)} x`
	};
};

/** Both forms, three scenes each. */
export const run = (): Promise<BenchResult[]> => {
	const results: BenchResult[] = [];
	for (const form of ['bundle', 'lines'] as const) {
		for (const scene of scenesOf(form)) results.push(measure(form, scene));
	}
	return Promise.resolve(results);
};

if (import.meta.main) {
	for (const { name, note, goal, met } of await run()) {
		const word = met ? 'ok  ' : 'MISS';
		console.log(`${word} ${name}: ${note} (goal ${goal})`);
	}
}
