import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { choosePort } from '../../../demo/launch/port.ts';
import { findFreePort } from '../../../ops/embedded/ports.ts';

test('[O15] a port asked for is given, or refused when it is taken', async () => {
	const port = await findFreePort();
	expect(await choosePort(port)).toBe(port);
	const holder = createServer();
	await new Promise<void>((done) => holder.listen(port, '127.0.0.1', done));
	try {
		await expect(choosePort(port)).rejects.toThrow(
			`Port ${port} is taken: choose another with --port.`
		);
	} finally {
		await new Promise((done) => holder.close(done));
	}
});

test('[O15] without a wish, and for 0, some port is found', async () => {
	expect(await choosePort(undefined)).toBeGreaterThan(1_023);
	expect(await choosePort(0)).toBeGreaterThan(1_023);
});
