// What axe-core finds wrong with a page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axeSource = readFileSync(
	createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
	'utf8'
);

type Violation = { id: string; nodes: { html: string; failureSummary?: string }[] };

export const violationsOf = async (page: Page): Promise<string[]> => {
	// Evaluated, not added as a script: the page's own policy would refuse it.
	if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axeSource);
	const found = await page.evaluate<Violation[]>(
		"axe.run({ resultTypes: ['violations'] }).then((result) => result.violations)"
	);
	return found.flatMap(({ id, nodes }) =>
		nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`)
	);
};
