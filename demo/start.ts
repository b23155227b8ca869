// `npm run demo`: everything on this machine, nothing installed, no account anywhere. Ends with the
// addresses; Ctrl-C stops all of it; the next start goes on with the same data.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { signLink } from '#server/http/links.ts';
import type { LinkClaims } from '#server/http/links.ts';
import { ensureWebBuilt } from '../ops/build-web.ts';
import { isRoot, makeFolder } from '../ops/embedded/paths.ts';
import { openDatabases } from './launch/databases.ts';
import type { Databases } from './launch/databases.ts';
import { PlainError } from '../ops/embedded/plain-error.ts';
import { keepKeys, apiKeyOf, pushKeyOf } from './launch/keys.ts';
import type { Keys } from './launch/keys.ts';
import { parseOptions, usage } from './launch/options.ts';
import type { DemoOptions } from './launch/options.ts';
import { choosePort } from './launch/port.ts';
import { openPublishers } from './launch/publishers.ts';
import { claimFolder } from './launch/running.ts';
import { startServer } from './launch/servers.ts';
import type { Server } from './launch/servers.ts';
import { watchForStop } from './launch/stop.ts';
import type { StopRequest } from './launch/stop.ts';
import { openStore } from './launch/store.ts';
import type { SeededSource, Store } from './launch/store.ts';

const FIRST_POLLS_MS = 90_000;
const LOOK_MS = 500;
const LINK_LIFE_MS = 30 * 86_400_000;

const say = (line: string): void => {
	process.stdout.write(`${`${process.uptime().toFixed(1)} s`.padStart(8)}  ${line}\n`);
};

const print = (text: string): void => {
	process.stdout.write(`${text}\n`);
};

/** A FHIR server that takes subscriptions (demo/clinics/profiles.ts). */
const PUSHING_CLINIC = 'bluestem';
/** Cal.com books with a key. */
const KEYED_PRACTICE = 'harvest-moon';

/** What the demo keeps: databases, keys, the clinics' own memory. */
const KEPT = ['postgres', 'redis', 'clinics', 'keys.json'];

const startOver = (folder: string, env: NodeJS.ProcessEnv): void => {
	if (env['DATABASE_URL']) {
		throw new PlainError(
			'--fresh does not empty the database that DATABASE_URL names: make a new one there, or unset DATABASE_URL.'
		);
	}
	for (const name of KEPT) rmSync(join(folder, name), { recursive: true, force: true });
	say('starting over');
};

/** One clinic tells of its changes itself, all others are asked; one books with a key only. */
const secretsOf = (keys: Keys): string =>
	`${PUSHING_CLINIC}.push=${pushKeyOf(keys)},${KEYED_PRACTICE}=${apiKeyOf(keys)}`;

const environmentOf = (
	databases: Databases,
	keys: Keys,
	port: number,
	env: NodeJS.ProcessEnv
): NodeJS.ProcessEnv => ({
	...env,
	HUB_MODE: 'production',
	DATABASE_URL: databases.postgres.url,
	REDIS_URL: databases.redis.url,
	PORT: String(port),
	HUB_PUBLIC_URL: env['HUB_PUBLIC_URL'] ?? `http://localhost:${port}`,
	HUB_ALLOWED_ORIGINS: env['HUB_ALLOWED_ORIGINS'] ?? `http://127.0.0.1:${port}`,
	HUB_PHI_KEYS: `demo:${keys.phi}`,
	HUB_LINK_KEY: keys.link,
	HUB_ALLOW_PRIVATE_SOURCES: 'true',
	HUB_SOURCE_SECRETS: env['HUB_SOURCE_SECRETS'] ?? secretsOf(keys),
	// All simulated clinics are one host, and some of them hang.
	HUB_HOST_CONCURRENCY: '50',
	HUB_DRAIN_MS: env['HUB_DRAIN_MS'] ?? '2000'
});

/** Waits until every source was read once, telling how far it is; gives up quietly after a while. */
const waitForFirstPolls = async (store: Store, all: number, stop: StopRequest): Promise<void> => {
	const deadline = Date.now() + FIRST_POLLS_MS;
	let told = -1;
	while (!stop.wanted() && Date.now() < deadline) {
		const answered = await store.countAnswered();
		if (answered !== told) say(`first look at the sources: ${answered} of ${all}`);
		told = answered;
		if (answered >= all) return;
		await Promise.race([new Promise((done) => setTimeout(done, LOOK_MS)), stop.asked]);
	}
};

const addresses = (
	base: string,
	sources: readonly SeededSource[],
	keys: Keys,
	isSteerable: boolean
): string => {
	const linkKey = Buffer.from(keys.link, 'base64');
	const exp = Date.now() + LINK_LIFE_MS;
	const link = (claims: LinkClaims): string => `${base}/enter?token=${signLink(linkKey, claims)}`;
	// The console of a clinic that takes bookings over its API shows the most.
	const clinic = sources.find(({ settings }) => settings.booking === 'fhir') ?? sources[0];
	return [
		'',
		`Patient board     ${base}/`,
		...(clinic === undefined
			? []
			: [
					`Provider console  ${link({ role: 'clinic', sourceId: clinic.id, exp })}`,
					`                  (${clinic.settings.name}; a private link, good for 30 days)`
				]),
		`Operator status   ${link({ role: 'operator', exp })}`,
		'',
		...(isSteerable ? ['npm run demo:burst makes one clinic fill up while you watch.'] : []),
		'Ctrl-C stops everything; the next start goes on with the same data.'
	].join('\n');
};

const startServers = async (
	stack: AsyncDisposableStack,
	env: NodeJS.ProcessEnv,
	logFolder: string
): Promise<Server[]> => {
	const started: Server[] = [];
	stack.defer(async () => {
		await Promise.all(started.map((server) => server.close()));
	});
	const start = async (name: string, entry: string, readyEvent: string): Promise<void> => {
		started.push(await startServer({ name, entry, readyEvent, env, logFolder }));
	};
	say('starting the hub and the workers');
	const outcomes = await Promise.allSettled([
		start('hub', 'server/main.ts', 'hub_ready'),
		start('workers', 'workers/main.ts', 'workers_ready')
	]);
	for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
	return started;
};

/** Settles with a sentence when something of ours ends by itself. */
const firstLoss = (servers: readonly Server[], databases: Databases): Promise<string> =>
	Promise.race([
		...servers.map((server) =>
			server.exited.then(() => `The ${server.name} ended by itself:\n${server.tail()}`)
		),
		databases.postgres.exited.then(() => 'PostgreSQL ended by itself.'),
		databases.redis.exited.then(() => 'Redis ended by itself.')
	]);

const prepareFolder = (options: DemoOptions, stack: AsyncDisposableStack) => {
	makeFolder(options.folder, isRoot() ? 0o755 : 0o700);
	const note = claimFolder(options.folder);
	stack.defer(note.release);
	if (options.fresh) startOver(options.folder, process.env);
	else if (existsSync(join(options.folder, 'postgres'))) say('going on with the data kept');
	return note;
};

/** Starts all, one step after the other; returns the sentence of a loss, or null when stopped. */
const runDemo = async (
	options: DemoOptions,
	stop: StopRequest,
	stack: AsyncDisposableStack
): Promise<string | null> => {
	const { folder, replay } = options;
	const note = prepareFolder(options, stack);
	const port = await choosePort(options.port);
	const databases = await openDatabases({ folder, env: process.env, say });
	stack.defer(databases.close);
	if (stop.wanted()) return null;
	const publishers = await openPublishers({ folder, replay, say });
	stack.defer(publishers.close);
	const store = openStore(databases.postgres.url, say);
	stack.defer(store.close);
	const sources = await store.seed(publishers.sources);
	const { replayNow } = publishers;
	if (replayNow.size > 0) {
		const { ingestReplay } = await import('./launch/ingest-replay.ts');
		await ingestReplay({ databaseUrl: databases.postgres.url, sources, replayNow, say });
	}
	await ensureWebBuilt(say);
	if (stop.wanted()) return null;
	const keys = keepKeys(folder);
	const env = environmentOf(databases, keys, port, process.env);
	const servers = await startServers(stack, env, folder);
	await waitForFirstPolls(store, sources.length, stop);
	if (stop.wanted()) return null;
	const base = String(env['HUB_PUBLIC_URL']);
	note.tell({ boardUrl: base, controlUrl: publishers.controlUrl });
	print(addresses(base, sources, keys, publishers.controlUrl !== ''));
	return await Promise.race([firstLoss(servers, databases), stop.asked.then(() => null)]);
};

const explain = (error: unknown): string => {
	if (!(error instanceof Error)) return String(error);
	// Faults that nobody foresaw keep their stack: it is what a report needs.
	return error instanceof PlainError ? error.message : (error.stack ?? error.message);
};

const main = async (): Promise<void> => {
	const options = parseOptions(process.argv.slice(2), process.env);
	if (options.help) return print(usage);
	const stop = watchForStop(say);
	const stack = new AsyncDisposableStack();
	let problem: string | null;
	try {
		problem = await runDemo(options, stop, stack);
	} catch (error) {
		problem = stop.wanted() ? null : explain(error);
	}
	if (problem !== null) {
		print(`\n${problem}`);
		process.exitCode = 1;
	}
	await stack.disposeAsync();
	say('everything is stopped');
	process.exit();
};

await main().catch((error: unknown) => {
	process.stderr.write(`${explain(error)}\n`);
	process.exit(1);
});
