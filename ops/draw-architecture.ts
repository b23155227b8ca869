// Draws the module picture of docs/architecture.md from the real imports.
// `--check` fails when the drawing in the document is not the drawing of the code.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const documentPath = 'docs/architecture.md';
const begin = '<!-- drawn by ops/draw-architecture.ts: begin -->';
const end = '<!-- drawn by ops/draw-architecture.ts: end -->';

type Cruised = {
	readonly modules: readonly {
		readonly source: string;
		readonly dependencies: readonly { readonly resolved: string }[];
	}[];
};

/** `server/store/slots.ts` → `server/store`; main files keep their names. */
const moduleOf = (path: string): string | null => {
	const parts = path.split('/');
	if (parts[0] === 'node_modules' || parts.length < 2) return null;
	const [top = '', second = ''] = parts;
	if (top === 'domain' || top === 'web') return top;
	if (top !== 'server' && top !== 'workers') return null;
	return `${top}/${second.replace(/[.]ts$/, '')}`;
};

const draw = (): string => {
	const json = execFileSync(
		'depcruise',
		[
			'domain',
			'server',
			'workers',
			'web',
			'--config',
			'.dependency-cruiser.mjs',
			'--output-type',
			'json'
		],
		{ maxBuffer: 256 * 1024 * 1024, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
	);
	const cruised: Cruised = JSON.parse(json);
	const arrows = new Set<string>();
	for (const { source, dependencies } of cruised.modules) {
		const from = moduleOf(source);
		for (const { resolved } of dependencies) {
			const to = moduleOf(resolved);
			// Everything may use domain; drawing that hides the rest.
			if (from !== null && to !== null && from !== to && to !== 'domain') {
				arrows.add(`\t${from.replace('/', '_')}["${from}"] --> ${to.replace('/', '_')}["${to}"]`);
			}
		}
	}
	return ['```mermaid', 'flowchart LR', ...[...arrows].toSorted(), '```'].join('\n');
};

const text = readFileSync(documentPath, 'utf8');
const before = text.slice(0, text.indexOf(begin) + begin.length);
const after = text.slice(text.indexOf(end));
if (!text.includes(begin) || !text.includes(end)) {
	console.error(`${documentPath} has lost its markers "${begin}" and "${end}".`);
	process.exit(1);
}
const wanted = `${before}\n\n${draw()}\n\n${after}`;
if (wanted === text) process.exit(0);
if (process.argv.includes('--check')) {
	console.error(`The picture in ${documentPath} is not the code's. Run: npm run docs:draw`);
	process.exit(1);
}
writeFileSync(documentPath, wanted);
