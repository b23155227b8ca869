// A real browser for tests. Faults of a page (script errors, refused styles) fail the test that
// caused them, because `close` tells them.
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { findChromium } from '../../ops/embedded/chromium.ts';
import { violationsOf } from '../support/axe.ts';
import { mustClose } from '../support/leaks.ts';

const phone = { width: 360, height: 740 };
const narrow = { width: 320, height: 640 };
const LEAST_TARGET_PX = 44;
export const desktop = { width: 1280, height: 800 };

/** What a browser says when an answer was an honest refusal or the line was cut on purpose. */
const expected = /Failed to load resource|net::ERR_|WebSocket connection/;

export type Window = { readonly page: Page; readonly context: BrowserContext };

export type TestBrowser = {
	/** A person: cookies of their own. */
	open(url: string, options?: BrowserContextOptions): Promise<Window>;
	/** Another window of the same person. */
	openBeside(window: Window, url: string): Promise<Window>;
	/** Script errors and refused styles so far, taken away: for a test that causes some and says which. */
	takeFaults(): string[];
	close(): Promise<void>;
};

const launch = async (): Promise<Browser> => {
	const { executablePath, args, env } = await findChromium();
	return await chromium.launch({ executablePath, args, env });
};

export const createTestBrowser = async (): Promise<TestBrowser & AsyncDisposable> => {
	const browser = await launch();
	const faults: string[] = [];
	const watch = (page: Page): Page => {
		page.setDefaultTimeout(45_000);
		page.on('pageerror', (error) => faults.push(error.message));
		page.on('console', (message) => {
			if (message.type() === 'error' && !expected.test(message.text())) {
				faults.push(message.text());
			}
		});
		return page;
	};
	const visit = async (context: BrowserContext, url: string): Promise<Window> => {
		const page = watch(await context.newPage());
		await page.goto(url);
		return { page, context };
	};
	return mustClose('browser', {
		takeFaults: () => faults.splice(0),
		open: async (url: string, options: BrowserContextOptions = {}) =>
			visit(
				await browser.newContext({ viewport: phone, reducedMotion: 'reduce', ...options }),
				url
			),
		openBeside: ({ context }: Window, url: string) => visit(context, url),
		close: async () => {
			await browser.close();
			if (faults.length > 0) throw new Error(`the pages had faults: ${faults.join('; ')}`);
		}
	});
};

/** U43: what does not fit a narrow phone, or is too small for a thumb. */
const crampedOn = (page: Page): Promise<string[]> =>
	page.evaluate((least) => {
		const found: string[] = [];
		const { clientWidth, scrollWidth } = document.documentElement;
		if (scrollWidth > clientWidth) found.push(`${scrollWidth} px wide`);
		for (const one of document.querySelectorAll('a, button, select, summary')) {
			const { width, height } = one.getBoundingClientRect();
			// Nobody sees a box that waits for the focus, or one that is cut away.
			if (width === 0 || getComputedStyle(one).position === 'absolute') continue;
			if (height < least) found.push(`${Math.round(height)} px high: ${one.textContent.trim()}`);
		}
		return found;
	}, LEAST_TARGET_PX);

/**
 * What axe-core finds on this page in both themes and in both widths, and what is cramped on the
 * narrowest phone. No script of ours asks for either, so the page is not loaded again for each: only
 * the style sheet answers.
 */
export const violationsEverywhere = async (page: Page): Promise<string[]> => {
	const found: string[] = [];
	for (const viewport of [phone, desktop]) {
		await page.setViewportSize(viewport);
		for (const colorScheme of ['light', 'dark'] as const) {
			await page.emulateMedia({ colorScheme });
			const each = await violationsOf(page);
			found.push(...each.map((one) => `${viewport.width} px, ${colorScheme}: ${one}`));
		}
	}
	await page.setViewportSize(narrow);
	found.push(...(await crampedOn(page)).map((one) => `${narrow.width} px: ${one}`));
	await page.setViewportSize(phone);
	await page.emulateMedia({ colorScheme: null });
	return found;
};

/** Waits until the page is live: hydrated and following its rooms. */
export const untilLive = (page: Page): Promise<void> =>
	page.locator('.live .dot.on').first().waitFor({ state: 'visible' });
