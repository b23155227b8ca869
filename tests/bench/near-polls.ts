// What a poll of the near days costs against one of the whole window: bytes over the network and time
// of the whole job (asking, reading, comparing, committing), at one FHIR server of 20,000 slots that is
// a process of its own and whose slots move. Run: npx node tests/bench/near-polls.ts
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { must } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#domain/time.ts';
import { createLog } from '#server/platform/log.ts';
import { upsertSource } from '#server/store/sources.ts';
import { createConnectors } from '../../workers/connectors/connectors.ts';
import { createPollSource } from '../../workers/jobs/poll-source.ts';
import { median, type BenchResult } from './bench.ts';
import { createBenchDatabase } from './world.ts';

const SLOTS = 20_000;
const SCHEDULES = 100;
/** Slots of one page: what the hub asks for at most. */
const PAGE = 500;
/** Slots that change between two polls, anywhere in the window. */
const CHANGES = 10;
const BETWEEN_MS = 500;
const POLLS = 60;
const WARM_UP = 6;

/** The other process: slots spread evenly over 14 days, pages with an ETag of what stands on them. */
const serve = async (hasEtags: boolean): Promise<void> => {
	const from = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
	const slots = Array.from({ length: SLOTS }, (_, at) => ({
		at: from + Math.floor((at * 14 * DAY_MS) / SLOTS / MINUTE_MS) * MINUTE_MS,
		version: 1
	}));
	setInterval(() => {
		for (let left = CHANGES; left > 0; left -= 1) {
			must(slots[Math.floor(Math.random() * SLOTS)]).version += 1;
		}
	}, BETWEEN_MS);
	const entryOf = (nth: number): string => {
		const { at, version } = must(slots[nth]);
		const resource = {
			resourceType: 'Slot',
			id: `slot-${nth}`,
			meta: { versionId: String(version) },
			schedule: { reference: `Schedule/s${nth % SCHEDULES}` },
			status: (nth + version) % 3 === 0 ? 'busy' : 'free',
			start: new Date(at).toISOString(),
			end: new Date(at + 20 * MINUTE_MS).toISOString()
		};
		return `{"fullUrl":"https://clinic.example/fhir/Slot/slot-${nth}","resource":${JSON.stringify(resource)}}`;
	};
	const bundleOf = (entries: readonly string[], next: string | null): string => {
		const link = next === null ? [] : [{ relation: 'next', url: next }];
		return `{"resourceType":"Bundle","type":"searchset","link":${JSON.stringify(link)},"entry":[${entries.join(',')}]}`;
	};
	const schedules = Array.from({ length: SCHEDULES }, (_, nth) =>
		JSON.stringify({
			resource: { resourceType: 'Schedule', id: `s${nth}`, actor: [{ display: `Dr ${nth}` }] }
		})
	);
	const slotPage = (url: URL): string => {
		const to = Date.parse(must(url.searchParams.getAll('start')[1]).slice(2));
		const page = Number(url.searchParams.get('page') ?? 0);
		const end = slots.findIndex(({ at }) => at >= to);
		const count = end < 0 ? SLOTS : end;
		const last = Math.min(count, (page + 1) * PAGE);
		const entries: string[] = [];
		for (let nth = page * PAGE; nth < last; nth += 1) entries.push(entryOf(nth));
		const next = new URL(url);
		next.searchParams.set('page', String(page + 1));
		return bundleOf(entries, last < count ? next.pathname + next.search : null);
	};
	const server = createServer((request, response) => {
		const url = new URL(request.url ?? '/', 'http://server');
		const isSlot = url.pathname.endsWith('/Slot');
		if (!isSlot && !url.pathname.endsWith('/Schedule')) {
			response.writeHead(404).end();
			return;
		}
		const body = isSlot ? slotPage(url) : bundleOf(schedules, null);
		const etag = `"${createHash('sha1').update(body).digest('base64url')}"`;
		const isSame = hasEtags && request.headers['if-none-match'] === etag;
		response.writeHead(isSame ? 304 : 200, {
			'content-type': 'application/fhir+json',
			...(hasEtags && { etag })
		});
		response.end(isSame ? undefined : body);
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	process.send?.((server.address() as AddressInfo).port);
};

const startServer = async (
	hasEtags: boolean
): Promise<{ url: string; close: () => Promise<void> }> => {
	const child = fork(new URL(import.meta.url), [hasEtags ? '--serve-etags' : '--serve']);
	const port = Number((await once(child, 'message'))[0]);
	return {
		url: `http://127.0.0.1:${port}/fhir`,
		close: async () => {
			child.kill();
			if (child.exitCode === null) await once(child, 'exit');
		}
	};
};

type Cost = { readonly bytes: number; readonly ms: number; readonly changes: number };
type Costs = { readonly near: readonly Cost[]; readonly whole: readonly Cost[] };

/** `freshForMs`: with a second every poll asks for the whole window, with an hour every fifth. */
const follow = async (hasEtags: boolean, freshForMs: number): Promise<Costs> => {
	const server = await startServer(hasEtags);
	const database = await createBenchDatabase();
	const connectors = createConnectors({
		allowPrivate: true,
		ratePerSecond: 10_000,
		rateBurst: 10_000
	});
	let bytes = 0;
	const log = createLog({
		name: 'bench',
		level: 'debug',
		destination: {
			write: (line: string) => {
				const told = JSON.parse(line) as { event?: string; bytes?: number };
				if (told.event === 'poll_asked') bytes = told.bytes ?? NaN;
			}
		}
	});
	const poll = createPollSource({
		sql: database.sql,
		connectors,
		publish: () => {},
		queues: { addPoll: async () => true, addAlerts: async () => {} },
		log
	});
	const costs = { near: [] as Cost[], whole: [] as Cost[] };
	const settings = { key: 'large', name: 'Large clinic', url: server.url, kind: 'fhir-slots' };
	const notes = { zone: 'UTC', specialtyIds: ['dermatology'], regions: ['US-MT'] };
	const paces = { minIntervalMs: 1_000, freshForMs, allowPrivate: true, booking: 'fhir' };
	try {
		const id = await upsertSource(
			database.sql,
			SourceSettings.parse({ ...settings, ...paces, notes })
		);
		for (let polls = 0; polls < POLLS + WARM_UP; polls += 1) {
			await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
			await database.sql`update sources set next_poll_at = clock_timestamp() where id = ${id}`;
			const startedAt = performance.now();
			const report = await poll(id, AbortSignal.timeout(60_000));
			const ms = performance.now() - startedAt;
			if (report.state !== 'committed') throw new Error(`the poll was ${report.state}`);
			// The first few read everything, and warm the code.
			if (polls < WARM_UP) continue;
			costs[report.isNear ? 'near' : 'whole'].push({ bytes, ms, changes: report.changes });
		}
		return costs;
	} finally {
		await connectors.close();
		await database.close();
		await server.close();
	}
};

const kbOf = ({ bytes }: Cost): number => Math.round(bytes / 1_000);
const msOf = ({ ms }: Cost): number => Math.round(ms);

const mean = (costs: Costs, of: (cost: Cost) => number): number => {
	const all = [...costs.near, ...costs.whole];
	return all.reduce((sum, cost) => sum + of(cost), 0) / all.length;
};

const compare = async (hasEtags: boolean): Promise<BenchResult[]> => {
	const ours = await follow(hasEtags, HOUR_MS);
	const always = await follow(hasEtags, 1_000);
	const server = hasEtags ? 'with an ETag for each page' : 'without ETags';
	return [['kB', kbOf] as const, ['ms', msOf] as const].map(([unit, of]) => ({
		name: `near poll at a FHIR server of 20,000 slots ${server}`,
		unit,
		ours: ours.near.map(of),
		baseline: { name: 'whole poll, every time', values: always.whole.map(of) },
		note: `${ours.near.length} near polls and ${ours.whole.length} whole ones of ${median(ours.whole.map(of))} ${unit}: ${mean(ours, of).toFixed(0)} a poll, against ${mean(always, of).toFixed(0)}`
	}));
};

export const run = async (): Promise<BenchResult[]> => [
	...(await compare(false)),
	...(await compare(true))
];

const [, , how = ''] = process.argv;
if (how.startsWith('--serve')) await serve(how === '--serve-etags');
else if (import.meta.main) {
	for (const { name, unit, ours, baseline, note } of await run()) {
		const whole = median(baseline?.values ?? []);
		console.log(`${name}: ${median(ours)} ${unit} against ${whole} (${note})`);
	}
}
