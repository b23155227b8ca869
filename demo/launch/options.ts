// What `npm run demo -- …` understands.
import { parseArgs } from 'node:util';
import { join, resolve } from 'node:path';
import { dataFolder } from '../../ops/embedded/paths.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';

export type DemoOptions = {
	/** Start over: forget everything an earlier start kept. */
	fresh: boolean;
	/** Serve these recorded publications instead of the simulated clinics. */
	replay: string | undefined;
	/** The hub's port when it was asked for. */
	port: number | undefined;
	/** Where the demo keeps its databases and keys. */
	folder: string;
	help: boolean;
};

export const usage = `npm run demo -- [--fresh] [--replay <folder>] [--port <number>] [--data <folder>]

  --fresh            start over instead of keeping the data of the last start
  --replay <folder>  serve recorded publications instead of the simulated clinics
  --port <number>    port of the patient board (default 3000, or a free one when that is taken)
  --data <folder>    keep the databases there

DATABASE_URL and REDIS_URL, when set, are used instead of the built-in servers.
In a second terminal, npm run demo:burst makes one clinic fill up while you watch.`;

const parsePort = (text: string | undefined): number | undefined => {
	if (text === undefined || text === '') return undefined;
	const port = Number(text);
	if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
	throw new PlainError(`"${text}" is no port: give a number from 0 to 65535.`);
};

const parse = (args: readonly string[]) => {
	try {
		return parseArgs({
			args: [...args],
			options: {
				fresh: { type: 'boolean', default: false },
				replay: { type: 'string' },
				port: { type: 'string' },
				data: { type: 'string' },
				help: { type: 'boolean', short: 'h', default: false }
			}
		}).values;
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		throw new PlainError(`${why}\n\n${usage}`, { cause: error });
	}
};

/** Throws a PlainError for arguments it does not know. */
export const parseOptions = (args: readonly string[], env: NodeJS.ProcessEnv): DemoOptions => {
	const values = parse(args);
	// Recorded data is no part of the simulated world: each keeps its own.
	const kept = values.replay === undefined ? 'demo' : 'replay';
	return {
		fresh: values.fresh,
		help: values.help,
		replay: values.replay === undefined ? undefined : resolve(values.replay),
		port: parsePort(values.port ?? env['PORT']),
		folder: values.data === undefined ? join(dataFolder(), kept) : resolve(values.data)
	};
};
