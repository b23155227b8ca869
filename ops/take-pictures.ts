// `npm run pictures -- <address of the board> <link of the console> <link of the status page>`:
// takes the pictures of the README from a running demo. Not a test: nothing is compared.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { findChromium } from './embedded/chromium.ts';
import { projectRoot } from './embedded/paths.ts';

const folder = join(projectRoot, 'docs/pictures');
const phone = { width: 360, height: 740 };
const desktop = { width: 1280, height: 800 };

const [board = '', consoleLink, statusLink] = process.argv.slice(2);
if (!URL.canParse(board)) {
	process.stderr.write(
		'Usage: npm run pictures -- <board address> [<console link> [<status link>]]\n' +
			'The board address is one with a search: http://localhost:3000/board?specialty=…&region=…\n'
	);
	process.exit(1);
}

const take = async (page: Page, name: string): Promise<void> => {
	await page.screenshot({ path: join(folder, `${name}.png`) });
	process.stdout.write(`docs/pictures/${name}.png\n`);
};

type Look = { readonly viewport: typeof phone; readonly colorScheme: 'light' | 'dark' };

const open = async (browser: Browser, url: string, look: Look): Promise<Page> => {
	const context = await browser.newContext({ ...look, deviceScaleFactor: 2 });
	const page = await context.newPage();
	await page.goto(url, { waitUntil: 'networkidle' });
	return page;
};

const light = { colorScheme: 'light' } as const;
const dark = { colorScheme: 'dark' } as const;

const takePatient = async (browser: Browser): Promise<void> => {
	await take(await open(browser, board, { ...light, viewport: desktop }), 'board-desktop');
	await take(await open(browser, board, { ...dark, viewport: desktop }), 'board-desktop-dark');
	const page = await open(browser, board, { ...light, viewport: phone });
	await take(page, 'board-phone');
	await page.locator('.provider button.time:not([aria-disabled])').first().click();
	await page.waitForURL(/\/hold\//);
	await take(page, 'hold-phone');
	await page.goto(board, { waitUntil: 'networkidle' });
	await take(page, 'board-phone-held');
	await page
		.getByRole('button', { name: /^Let go/ })
		.first()
		.click();
	await take(await open(browser, board, { ...dark, viewport: phone }), 'board-phone-dark');
};

mkdirSync(folder, { recursive: true });
const { executablePath, args, env } = await findChromium();
const browser = await chromium.launch({ executablePath, args, env });
try {
	await takePatient(browser);
	if (consoleLink !== undefined) {
		await take(await open(browser, consoleLink, { ...light, viewport: phone }), 'console-phone');
	}
	if (statusLink !== undefined) {
		await take(await open(browser, statusLink, { ...light, viewport: desktop }), 'status-desktop');
	}
} finally {
	await browser.close();
}
