// How the workers' process begins and ends: configuration, faults nobody caught, signals.
import { SECOND_MS } from '#domain/time.ts';
import { ConfigError, parseConfig, type Config } from '#server/platform/config.ts';
import { logFault, type Log } from '#server/platform/log.ts';

/** Ends the process, in plain words, when the environment is wrong. */
export const configOrExit = (): Config => {
	try {
		return parseConfig(process.env);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		process.stderr.write(`${error.message}\n`);
		return process.exit(1);
	}
};

/**
 * Starts, or ends the process with the sentence of what is missing. Nothing of a patient is read
 * before the start is done, so the message of its fault may be shown.
 */
export const startOrExit = async <T>(start: () => Promise<T>, log: Log): Promise<T> => {
	try {
		return await start();
	} catch (error) {
		logFault(log, 'start_failed', error);
		const reason = error instanceof AggregateError ? error.errors[0] : error;
		const text = reason instanceof Error ? reason.message || reason.name : String(reason);
		process.stderr.write(`The workers could not start: ${text}\n`);
		return process.exit(1);
	}
};

/** Node would print the message of a fault, which may quote a patient's data. */
export const exitOnFault = (log: Log): void => {
	process.on('uncaughtException', (error) => {
		logFault(log, 'uncaught', error);
		process.exit(1);
	});
};

/** What closing may take beyond the time for the jobs, ms. */
const CLOSE_MARGIN_MS = 5 * SECOND_MS;
const SECOND_SIGNAL_CODE = 130;

/** W18: the first signal drains and exits with 0, a second one ends the process at once. */
export const drainOnSignal = (drain: () => Promise<void>, drainMs: number, log: Log): void => {
	let draining = false;
	const goDown = async (signal: 'SIGTERM' | 'SIGINT'): Promise<void> => {
		log.info('workers_draining', { signal });
		const overdue = setTimeout(() => {
			log.error('drain_overdue');
			process.exit(1);
		}, drainMs + CLOSE_MARGIN_MS);
		overdue.unref();
		try {
			await drain();
		} catch (error) {
			logFault(log, 'drain_failed', error);
			process.exit(1);
		}
		log.info('workers_stopped');
		process.exit(0);
	};
	const onSignal = (signal: 'SIGTERM' | 'SIGINT'): void => {
		if (draining) process.exit(SECOND_SIGNAL_CODE);
		draining = true;
		void goDown(signal);
	};
	process.on('SIGTERM', onSignal);
	process.on('SIGINT', onSignal);
};
