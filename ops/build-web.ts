// Builds the pages when they are missing or older than what they are made from.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from './embedded/child.ts';
import { projectRoot } from './embedded/paths.ts';
import { PlainError } from './embedded/plain-error.ts';

const SOURCES = ['web', 'domain', 'vite.config.ts', 'package-lock.json'];
/** Written by the build itself or by other tools, so their age says nothing. */
const MADE = new Set([
	'node_modules',
	'paraglide',
	'.svelte-kit',
	'cache',
	'.meta.json',
	'README.md'
]);
const BUILD_TIMEOUT_MS = 300_000;

/** Milliseconds of the newest file below `path`; 0 when there is none. Made folders do not count. */
const newestMs = (path: string): number => {
	if (!existsSync(path)) return 0;
	const found = statSync(path);
	if (!found.isDirectory()) return found.mtimeMs;
	return readdirSync(path)
		.filter((name) => !MADE.has(name))
		.reduce((newest, name) => Math.max(newest, newestMs(join(path, name))), 0);
};

export const isWebBuilt = (root: string): boolean => {
	const built = newestMs(join(root, 'build/handler.js'));
	return built > 0 && SOURCES.every((source) => newestMs(join(root, source)) <= built);
};

/** Throws with the bundler's own words when the pages cannot be built. */
export const ensureWebBuilt = async (say: (line: string) => void): Promise<void> => {
	if (!existsSync(join(projectRoot, 'vite.config.ts')) || isWebBuilt(projectRoot)) return;
	say('building the pages');
	const vite = join(projectRoot, 'node_modules/vite/bin/vite.js');
	// Started by a test it would otherwise be a build for tests: a quarter larger.
	const env = { ...process.env, NODE_ENV: 'production', VITEST: undefined };
	const options = { cwd: projectRoot, env, timeoutMs: BUILD_TIMEOUT_MS };
	await runToEnd(process.execPath, [vite, 'build'], options).catch((error: Error) => {
		throw new PlainError(`The pages could not be built.\n${error.message}`, { cause: error });
	});
};
