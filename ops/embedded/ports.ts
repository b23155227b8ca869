// Ports of this machine for what the project starts itself.
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { PlainError } from './plain-error.ts';

const LOWEST = 20_000;
const TRIES = 100;

/** True when a server could listen on it at all addresses, as the hub does. */
export const isPortFree = (port: number): Promise<boolean> =>
	new Promise((done) => {
		const probe = createServer();
		probe.once('error', () => done(false));
		probe.listen(port, () => probe.close(() => done(true)));
	});

/** The lowest port that the system gives to connections going out. */
const firstOutgoing = (): number => {
	try {
		const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
		return Number.parseInt(range, 10);
	} catch {
		// Not Linux: macOS and Windows begin at 49152.
		return 32_768;
	}
};

/**
 * A port that was free a moment ago, below those that outgoing connections take: a server that
 * stops and comes back finds it still free. Throws a PlainError when there is none.
 */
export const findFreePort = async (): Promise<number> => {
	const outgoing = firstOutgoing();
	const [from, end] = outgoing > LOWEST ? [LOWEST, outgoing] : [1_024, LOWEST];
	for (let attempt = 0; attempt < TRIES; attempt += 1) {
		const port = randomInt(from, end);
		if (await isPortFree(port)) return port;
	}
	throw new PlainError(
		`No port between ${from} and ${end} is free on this machine: stop a program that listens there.`
	);
};
