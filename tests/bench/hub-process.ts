// Starts the real hub or workers as a process of its own, for benchmarks.
import { startTied } from '../../ops/embedded/child.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';
import { join } from 'node:path';

export type HubProcess = { url: string; pid: number; close(): Promise<void> };

type Options = {
	readonly databaseUrl: string;
	readonly redisUrl: string;
	readonly env?: Readonly<Record<string, string>>;
	readonly onLine?: (line: string) => void;
};

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 15_000;

const start = async (entry: string, ready: RegExp, options: Options) => {
	const child = startTied(process.execPath, [join(projectRoot, entry)], {
		cwd: projectRoot,
		env: {
			PATH: process.env['PATH'] ?? '',
			HOME: process.env['HOME'] ?? '',
			HUB_MODE: 'development',
			HUB_ALLOW_PRIVATE_SOURCES: 'true',
			DATABASE_URL: options.databaseUrl,
			REDIS_URL: options.redisUrl,
			PORT: '0',
			HUB_LOG_LEVEL: 'warn',
			HUB_MAX_SOCKETS_PER_ADDRESS: '20000',
			...options.env
		},
		deathSignal: 'KILL',
		onLine: options.onLine ?? (() => {})
	});
	const line = await child.waitForLine(ready, START_TIMEOUT_MS);
	return { child, line, close: () => child.stop('SIGTERM', STOP_GRACE_MS) };
};

const startHubFrom = async (
	entry: string,
	ready: RegExp,
	options: Options
): Promise<HubProcess> => {
	const { child, line, close } = await start(entry, ready, options);
	return { url: `http://127.0.0.1:${line[1]}`, pid: child.pid, close };
};

/** API and sockets, without rate limits. */
export const startHub = (options: Options): Promise<HubProcess> =>
	startHubFrom('tests/bench/hub-entry.ts', /hub_ready port=(\d+)/, options);

/** As `npm start`, pages included. */
export const startWholeHub = (options: Options): Promise<HubProcess> =>
	startHubFrom('server/main.ts', /"port":(\d+).*hub_ready/, {
		...options,
		env: { HUB_LOG_LEVEL: 'info', ...options.env }
	});

export const startWorkers = async (
	options: Options
): Promise<{ pid: number; close(): Promise<void> }> => {
	const { child, close } = await start('workers/main.ts', /workers_ready/, {
		...options,
		env: { HUB_LOG_LEVEL: 'info', ...options.env }
	});
	return { pid: child.pid, close };
};
