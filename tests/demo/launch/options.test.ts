import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parseOptions } from '../../../demo/launch/options.ts';

test('[O15] without arguments data is kept and the port is free to choose', () => {
	const options = parseOptions([], {});
	expect(options).toMatchObject({ fresh: false, replay: undefined, port: undefined, help: false });
});

test('[O15] recorded and simulated data are kept apart', () => {
	const replay = parseOptions(['--replay', 'recorded'], {});
	expect(replay.replay).toBe(resolve('recorded'));
	expect(replay.folder).not.toBe(parseOptions([], {}).folder);
});

test('[O15] arguments go before the environment', () => {
	expect(parseOptions([], { PORT: '4000' }).port).toBe(4_000);
	expect(parseOptions(['--port', '5000'], { PORT: '4000' }).port).toBe(5_000);
});

test.each([
	[['--port', 'http'], '"http" is no port: give a number from 0 to 65535.'],
	[['--port', '65536'], '"65536" is no port'],
	[['--frehs'], "Unknown option '--frehs'"],
	[['extra'], 'npm run demo -- [--fresh]']
])('[O15] %j is refused with what would be right', (args, sentence) => {
	expect(() => parseOptions(args, {})).toThrow(sentence);
});
