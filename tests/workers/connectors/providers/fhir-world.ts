// A FHIR server whose slots, pages and refusals a test sets, and a source that is polled there.
import { MINUTE_MS } from '#domain/time.ts';
import { startFakeServer, type Asked, type Told } from '../fake-server.ts';
import { createPoller, instantOf, makeConnectors, makeSource } from '../poll-once.ts';

export const now = instantOf('2026-06-01T12:10:00Z');
export const date = new Date(now).toUTCString();

export type Slot = {
	id: string;
	version: number;
	status: string;
	minute: number;
	schedule?: string;
};

export const slotOf = ({ id, version, status, minute, schedule = 'a' }: Slot) => ({
	resourceType: 'Slot',
	id,
	meta: { versionId: String(version) },
	schedule: { reference: `Schedule/${schedule}` },
	status,
	start: new Date(now + minute * MINUTE_MS).toISOString(),
	end: new Date(now + (minute + 20) * MINUTE_MS).toISOString()
});

export const bundle = (resources: readonly object[], links: object[] = []) => ({
	resourceType: 'Bundle',
	type: 'searchset',
	link: links,
	entry: resources.map((resource) => ({
		fullUrl: `https://clinic.example/fhir/Slot/${String((resource as { id: string }).id)}`,
		resource,
		search: { mode: 'match' }
	}))
});

const capability = {
	resourceType: 'CapabilityStatement',
	rest: [
		{
			mode: 'server',
			resource: [
				{
					type: 'Slot',
					interaction: [{ code: 'search-type' }],
					searchParam: [{ name: '_lastUpdated' }]
				},
				{ type: 'Schedule', interaction: [{ code: 'search-type' }] }
			]
		}
	]
};

export const directory: Record<string, readonly object[]> = {
	Schedule: [{ resourceType: 'Schedule', id: 'a', actor: [{ display: 'Dr A' }] }]
};

export type World = {
	slots: Slot[];
	perPage: number;
	/** Overrides the answer to a request. */
	over?: (asked: Asked) => Told | undefined;
	directory?: Record<string, readonly object[]>;
	ignoresUpdates?: boolean;
	/** The self link as it tells what was searched for; left out: as asked. */
	tells?: (self: URL) => string | null;
};

export const isSince = (url: URL): boolean => url.searchParams.has('_lastUpdated');

/** Slots by page; `changed` slots only for a search by `_lastUpdated`. */
export const answerSlots = (world: World, base: string, { url }: Asked): Told => {
	const all =
		isSince(url) && !world.ignoresUpdates ? world.slots.filter((s) => s.version > 1) : world.slots;
	const page = Number(url.searchParams.get('page') ?? 0);
	const shown = all.slice(page * world.perPage, (page + 1) * world.perPage);
	const applied = new URL(url);
	if (world.ignoresUpdates) applied.searchParams.delete('_lastUpdated');
	const next = new URL(applied.pathname + applied.search, base);
	next.searchParams.set('page', String(page + 1));
	const more = (page + 1) * world.perPage < all.length;
	const self = new URL(applied.pathname + applied.search, base);
	const told = world.tells === undefined ? self.href : world.tells(self);
	return {
		headers: { date },
		body: bundle(shown.map(slotOf), [
			...(told === null ? [] : [{ relation: 'self', url: told }]),
			...(more ? [{ relation: 'next', url: next.href }] : [])
		])
	};
};

const startFhir = async (world: World) => {
	const server = await startFakeServer((asked) => {
		const told = world.over?.(asked);
		if (told !== undefined) return told;
		const type = asked.url.pathname.split('/')[2] ?? '';
		if (type === 'metadata') return { body: capability };
		if (type === 'Slot') return answerSlots(world, server.url, asked);
		const found = (world.directory ?? directory)[type];
		return found === undefined ? { status: 404, body: {} } : { body: bundle(found) };
	});
	return server;
};

export const follow = async (
	world: World,
	work: (parts: Parts) => Promise<void>
): Promise<void> => {
	await using server = await startFhir(world);
	await using connectors = makeConnectors();
	const source = makeSource({ kind: 'fhir-slots', url: `${server.url}/fhir/` });
	let at: number = now;
	const { poll } = createPoller(connectors['fhir-slots'], source, () => at);
	const asked = () => server.asked.map(({ url }) => url.pathname + url.search);
	await work({ poll, asked, later: (ms) => (at += ms), url: server.url });
};

type Parts = {
	poll: ReturnType<typeof createPoller>['poll'];
	asked: () => string[];
	later: (ms: number) => number;
	url: string;
};

export const slots = (count: number): Slot[] =>
	Array.from({ length: count }, (_, at) => ({
		id: `s${at}`,
		version: 1,
		status: at % 3 === 0 ? 'busy' : 'free',
		minute: 60 + at * 20
	}));
