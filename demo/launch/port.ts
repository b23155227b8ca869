// Which port the hub gets.
import { createServer } from 'node:net';
import { findFreePort } from '../../ops/embedded/paths.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';

const USUAL_PORT = 3_000;

const isFree = (port: number): Promise<boolean> =>
	new Promise((done) => {
		const probe = createServer();
		probe.once('error', () => done(false));
		// On all addresses, as the hub listens: another program may hold the port on one of them.
		probe.listen(port, () => probe.close(() => done(true)));
	});

/** True when all of `count` ports from `first` on are free. */
export const areFree = async (first: number, count: number): Promise<boolean> => {
	const answers = Array.from({ length: count }, (_, at) => isFree(first + at));
	return (await Promise.all(answers)).every(Boolean);
};

/**
 * The port asked for, else 3000, else a free one. Throws a PlainError when the one asked for is
 * taken; 0 asks for any.
 */
export const choosePort = async (wanted: number | undefined): Promise<number> => {
	if (wanted === 0) return await findFreePort();
	if (wanted === undefined) return (await isFree(USUAL_PORT)) ? USUAL_PORT : await findFreePort();
	if (await isFree(wanted)) return wanted;
	throw new PlainError(`Port ${wanted} is taken: choose another with --port.`);
};
