// What reading costs: slots per second and core of full readings of one listing as a Bundle, as NDJSON
// and as a calendar, against JSON.parse of the same NDJSON; and a worker's memory while a publisher's
// answer of 200,000 slots comes in, is compared and committed.
import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { openBundle } from '../../workers/connectors/bundle.ts';
import { readInFull } from '../../workers/connectors/full-reading.ts';
import { bodyOfLines } from '../../workers/connectors/pieces.ts';
import { createDirectory } from '../../workers/connectors/providers/directory.ts';
import { busyTimeOf } from '../../workers/connectors/providers/ical-busy.ts';
import { cutCalendar } from '../../workers/connectors/providers/ical-lines.ts';
import { describeSchedules } from '../../workers/connectors/providers/schedule-facts.ts';
import { createSlotReader } from '../../workers/connectors/providers/slot-facts.ts';
import { must } from '#domain/result.ts';
import type { BenchResult } from './bench.ts';
import { startWorkers } from './hub-process.ts';
import { until } from '../support/until.ts';
import { addSources, MB, peakBytesOf, residentMb } from './many-sources.ts';
import { slotLines, startPublisher } from './publisher.ts';
import { createBenchDatabase } from './world.ts';

const SLOTS = 50_000;
const EVENTS = 5_000;
const SCHEDULES = 500;
const ROUNDS = 9;
/** One body may have 32 MiB, so that a publisher of this size cuts its slots into files. */
const LARGE = { schedules: 2_000, slots: 200_000, files: 4 };

/** CPU ms of this process for `work`: how fast one core is, whatever else the machine does. */
const cpuMs = (work: () => unknown): number => {
	const from = process.cpuUsage();
	work();
	const { user, system } = process.cpuUsage(from);
	return (user + system) / 1_000;
};

const window = {
	from: toInstant(Date.now()),
	to: toInstant(Date.now() + 400 * DAY_MS)
};

const directory = createDirectory(
	Array.from({ length: SCHEDULES }, (_, at) => ({
		resource: { resourceType: 'Schedule', id: `s${at}`, actor: [] }
	}))
);

const readAs = (form: 'bundle' | 'file', bytes: Buffer): number => {
	const notes = { zone: 'America/Denver' };
	const schedules = describeSchedules(directory, { name: 'Clinic', notes });
	const reader = createSlotReader({ directory, schedules, notes }, form);
	const body = form === 'file' ? bodyOfLines(bytes) : must(openBundle(bytes), 'Bundle').body;
	const { listing } = readInFull([{ name: 'listing', body }], { reader, window });
	return listing.form === 'full' ? listing.facts.length : NaN;
};

const bundleOf = (ndjson: Buffer): Buffer => {
	const entries = ndjson
		.toString('utf8')
		.trimEnd()
		.split('\n')
		.map((line) => `{"resource":${line}}`);
	return Buffer.from(
		`{"resourceType":"Bundle","type":"searchset","total":${entries.length},"entry":[${entries.join(',')}]}`
	);
};

const stamp = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');

/** Single visits, every tenth a weekly series of four. */
const calendarOf = (events: number): Buffer => {
	const from = Math.floor(Date.now() / HOUR_MS) * HOUR_MS + DAY_MS;
	const parts = Array.from({ length: events }, (_, at) => {
		const startsAt = from + at * 30 * MINUTE_MS;
		return [
			'BEGIN:VEVENT',
			`UID:visit-${at}@clinic.example`,
			`DTSTAMP:${stamp(from)}`,
			`DTSTART:${stamp(startsAt)}`,
			`DTEND:${stamp(startsAt + 20 * MINUTE_MS)}`,
			'SUMMARY:Busy',
			...(at % 10 === 0 ? ['RRULE:FREQ=WEEKLY;COUNT=4'] : []),
			'END:VEVENT'
		].join('\r\n');
	});
	return Buffer.from(
		['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//bench//EN', ...parts, 'END:VCALENDAR', ''].join(
			'\r\n'
		)
	);
};

type Format = { name: string; count: number; read: () => number };

const throughput = (): BenchResult[] => {
	const ndjson = slotLines({ schedules: SCHEDULES, slots: SLOTS });
	const bundle = bundleOf(ndjson);
	const calendar = calendarOf(EVENTS);
	const parse = (): number =>
		ndjson
			.toString('utf8')
			.split('\n')
			.filter((line) => line !== '')
			.map((line): unknown => JSON.parse(line)).length;
	const formats: Format[] = [
		{ name: 'Bundle, slots', count: SLOTS, read: () => readAs('bundle', bundle) },
		{ name: 'NDJSON, slots', count: SLOTS, read: () => readAs('file', ndjson) },
		{
			name: 'iCalendar, busy times',
			count: Math.round(EVENTS * 1.3),
			read: () => busyTimeOf(cutCalendar(calendar), 'America/Denver', window).spans.length
		}
	];
	const speeds = formats.map((): number[] => []);
	const parsing: number[] = [];
	for (let round = 0; round < ROUNDS; round += 1) {
		parsing.push(SLOTS / cpuMs(parse));
		for (const [at, { count, read }] of formats.entries()) speeds[at]?.push(count / cpuMs(read));
	}
	return formats.map(({ name, count, read }, at) => ({
		name: `full reading as ${name}`,
		unit: '× 1,000/s and core',
		ours: speeds[at] ?? [],
		...(name.startsWith('iCalendar')
			? {}
			: { baseline: { name: 'JSON.parse of the NDJSON', values: parsing } }),
		note: `${read()} of ${count} read`
	}));
};

const largeAnswer = async (): Promise<BenchResult[]> => {
	const publisher = await startPublisher(LARGE);
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	const workers = await startWorkers({ databaseUrl: database.url, redisUrl: redis.url });
	try {
		await sleep(2_000);
		const idle = residentMb(workers.pid);
		await addSources(database.sql, publisher, { count: 1, minIntervalMs: 1_000 });
		const startedAt = performance.now();
		const isRead = async (): Promise<boolean> => {
			const [row] = await database.sql<{ n: number }[]>`select count(*)::int as n from slots`;
			return row?.n === LARGE.slots;
		};
		await until(isRead, { timeoutMs: 180_000, stepMs: 500 });
		const seconds = (performance.now() - startedAt) / 1_000;
		const peak = peakBytesOf(workers.pid) / MB;
		await sleep(10_000);
		const mb = slotLines(LARGE).length / MB;
		return [
			{
				name: `worker's peak memory during an answer of ${LARGE.slots} slots (${mb.toFixed(0)} MB)`,
				unit: 'MB',
				ours: [peak],
				baseline: { name: 'idle worker', values: [idle] },
				note: `committed after ${seconds.toFixed(0)} s; ${residentMb(workers.pid).toFixed(0)} MB ten seconds later, the body kept for the next comparison`
			}
		];
	} finally {
		await workers.close();
		await redis.close();
		await database.close();
		await publisher.close();
	}
};

export const run = async (): Promise<BenchResult[]> => {
	throughput(); // warm
	const speeds = throughput();
	return [...speeds, ...(await largeAnswer())].map((result) => ({
		...result,
		ours: result.ours.map((value) => Number(value.toFixed(1)))
	}));
};
