// Which port the hub gets.
import { PlainError } from '../../ops/embedded/plain-error.ts';
import { findFreePort, isPortFree } from '../../ops/embedded/ports.ts';

const USUAL_PORT = 3_000;

/** True when all of `count` ports from `first` on are free. */
export const areFree = async (first: number, count: number): Promise<boolean> => {
	const answers = Array.from({ length: count }, (_, at) => isPortFree(first + at));
	return (await Promise.all(answers)).every(Boolean);
};

/**
 * The port asked for, else 3000, else a free one. Throws a PlainError when the one asked for is
 * taken; 0 asks for any.
 */
export const choosePort = async (wanted: number | undefined): Promise<number> => {
	if (wanted === 0) return await findFreePort();
	if (wanted === undefined)
		return (await isPortFree(USUAL_PORT)) ? USUAL_PORT : await findFreePort();
	if (await isPortFree(wanted)) return wanted;
	throw new PlainError(`Port ${wanted} is taken: choose another with --port.`);
};
