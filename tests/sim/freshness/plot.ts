// Draws the comparison as one SVG: weighted detection delay and missed released slots per budget.
import type { Figures, PolicyName } from './compare.ts';

export type Bar = { readonly uniformS: number; readonly name: PolicyName; readonly mean: Figures };

const colours: Readonly<Record<PolicyName, string>> = {
	fixed: '#8a8f98',
	AIMD: '#c58b2a',
	proportional: '#7a5ea8',
	'index, learned': '#0b6e4f',
	'index, true rates': '#7fb8a4'
};

const WIDTH = 720;
const PANEL = 240;
const LEFT = 56;

const text = (x: number, y: number, words: string, anchor = 'middle'): string =>
	`<text x="${x}" y="${y}" text-anchor="${anchor}">${words}</text>`;

type Panel = {
	readonly title: string;
	readonly top: number;
	readonly valueOf: (figures: Figures) => number;
	readonly label: (value: number) => string;
};

const drawPanel = (bars: readonly Bar[], panel: Panel): string => {
	const { title, top, valueOf, label } = panel;
	const budgets = [...new Set(bars.map(({ uniformS }) => uniformS))];
	const most = Math.max(...bars.map(({ mean }) => valueOf(mean)), 1e-9);
	const group = (WIDTH - LEFT - 16) / budgets.length;
	const floor = top + PANEL - 44;
	const parts = [text(LEFT, top + 16, title, 'start')];
	for (const [g, uniformS] of budgets.entries()) {
		const own = bars.filter((bar) => bar.uniformS === uniformS);
		const width = (group - 28) / own.length;
		for (const [i, { name, mean }] of own.entries()) {
			const value = valueOf(mean);
			const height = (value / most) * (PANEL - 96);
			const x = LEFT + g * group + i * width;
			parts.push(
				`<rect x="${x.toFixed(1)}" y="${(floor - height).toFixed(1)}" width="${(width - 4).toFixed(1)}" height="${height.toFixed(1)}" fill="${colours[name]}"/>`,
				text(Math.round(x + width / 2 - 2), Math.round(floor - height - 4), label(value))
			);
		}
		const middle = Math.round(LEFT + g * group + (group - 28) / 2);
		parts.push(text(middle, floor + 18, `one request per schedule in ${uniformS} s`));
	}
	parts.push(`<path d="M${LEFT - 6} ${floor}H${WIDTH - 12}" stroke="#444" fill="none"/>`);
	return parts.join('\n');
};

const drawLegend = (names: readonly PolicyName[], top: number): string =>
	names
		.map((name, i) => {
			const x = LEFT + i * 132;
			return `<rect x="${x}" y="${top - 10}" width="12" height="12" fill="${colours[name]}"/>${text(x + 18, top, name, 'start')}`;
		})
		.join('\n');

/** The whole picture, on a white ground so that it is readable on dark pages too. */
export const drawPlot = (bars: readonly Bar[]): string => {
	const names = [...new Set(bars.map(({ name }) => name))];
	const height = 2 * PANEL + 40;
	const seconds: Panel = {
		title: 'Seconds from a change until a poll sees it, weighted by who looks (less is better)',
		top: 8,
		valueOf: ({ delay }) => delay,
		label: (value) => value.toFixed(0)
	};
	const missed: Panel = {
		title: 'Released slots gone before any poll saw them, % (less is better)',
		top: 8 + PANEL,
		valueOf: (figures) => 100 * figures.missed,
		label: (value) => value.toFixed(0)
	};
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">`,
		'<title>Five ways to spend the same number of requests</title>',
		`<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
		drawPanel(bars, seconds),
		drawPanel(bars, missed),
		drawLegend(names, height - 14),
		'</svg>',
		''
	].join('\n');
};
