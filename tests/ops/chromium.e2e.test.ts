import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { findChromium } from '../../ops/embedded/chromium.ts';
import { mustClose } from '../support/leaks.ts';

test('[O7] the browser starts, shows text and leaves our environment alone', async () => {
	const before = { ...process.env };
	const found = await findChromium();
	expect(existsSync(found.executablePath)).toBe(true);
	await using browser = mustClose('browser', await chromium.launch(found));
	const page = await browser.newPage();
	await page.setContent('<p><span>free times</span></p>');
	const box = await page.locator('span').boundingBox();
	expect(box?.width).toBeGreaterThan(20);
	expect({ ...process.env }).toEqual(before);
});
