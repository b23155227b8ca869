// `npm start`: one hub process. Reads the environment, starts the hub, drains on SIGTERM.
import { join } from 'node:path';
import packageFile from '../package.json' with { type: 'json' };
import { isUnavailable } from '#server/health.ts';
import { startHub } from '#server/hub.ts';
import type { Hub } from '#server/hub.ts';
import { loadPages, PagesMissing } from '#server/http/pages.ts';
import { ConfigError, parseConfig } from '#server/platform/config.ts';
import { createLog, logFault } from '#server/platform/log.ts';
import type { Log } from '#server/platform/log.ts';

const HANDLER_FILE = join(import.meta.dirname, '../build/handler.js');
/** After the drain's own deadline nothing may keep the process alive much longer, ms. */
const EXIT_GRACE_MS = 5_000;

/** For a person who starts it and got something wrong: one sentence, no stack. */
const stopWith = (sentence: string): never => {
	process.stderr.write(`${sentence}\n`);
	process.exit(1);
};

const readConfig = () => {
	try {
		return parseConfig(process.env);
	} catch (error) {
		if (error instanceof ConfigError) return stopWith(error.message);
		throw error;
	}
};

const explain = (error: unknown, port: number): string => {
	const code = error instanceof Error ? Reflect.get(error, 'code') : undefined;
	if (code === 'EADDRINUSE') {
		return `Port ${port} is taken: stop what listens there or set PORT to another one.`;
	}
	if (isUnavailable(error)) {
		return 'PostgreSQL does not answer at the address in DATABASE_URL: start it, or correct the address.';
	}
	const text = error instanceof Error ? error.message : String(error);
	return `The hub could not start: ${text}`;
};

const drainOn = (hub: Hub, log: Log, drainMs: number): void => {
	let isLeaving = false;
	const leave = async (): Promise<void> => {
		if (isLeaving) return;
		isLeaving = true;
		log.info('hub_draining');
		setTimeout(() => {
			log.error('hub_drain_overdue');
			process.exit(1);
		}, drainMs + EXIT_GRACE_MS).unref();
		await hub.drain();
		log.info('hub_closed');
		process.exit(0);
	};
	process.on('SIGTERM', () => void leave());
	process.on('SIGINT', () => void leave());
};

const main = async (): Promise<void> => {
	const config = readConfig();
	const log = createLog({ name: 'hub', level: config.logLevel });
	// A state that nobody foresaw is not one to go on from: whoever supervises starts a new one.
	process.on('unhandledRejection', (error) => {
		logFault(log, 'unhandled_rejection', error);
		process.exit(1);
	});
	process.on('uncaughtException', (error) => {
		logFault(log, 'uncaught_exception', error);
		process.exit(1);
	});
	try {
		const pages = await loadPages(HANDLER_FILE);
		const hub = await startHub({ config, log, pages, version: packageFile.version });
		drainOn(hub, log, config.drainMs);
		log.info('hub_ready', { port: hub.port });
	} catch (error) {
		if (error instanceof PagesMissing) stopWith(error.message);
		logFault(log, 'hub_start_failed', error);
		stopWith(explain(error, config.port));
	}
};

await main();
