// Sends viewers elsewhere without a herd: their connections are closed in waves.
import { setTimeout as wait } from 'node:timers/promises';
import type { Viewer } from './viewer.ts';

const WAVES = 10;

/**
 * V15: closes the connections (not the sockets: a client comes back by itself only when its
 * connection was closed) evenly over `withinMs`. Resolves after the last wave.
 */
export const closeInWaves = async (viewers: readonly Viewer[], withinMs: number): Promise<void> => {
	const perWave = Math.ceil(viewers.length / WAVES);
	for (let wave = 0; wave < WAVES && wave * perWave < viewers.length; wave += 1) {
		await wait(withinMs / WAVES);
		const share = viewers.slice(wave * perWave, (wave + 1) * perWave);
		for (const viewer of share) viewer.lane.conn.close();
	}
};
