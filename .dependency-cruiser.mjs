// Who may import whom (docs/architecture.md). Imports go one way; this file is the tool's copy of
// that table.

const modules = {
	domain: '^domain/',
	platform: '^server/platform/',
	store: '^server/store/',
	feed: '^server/feed/',
	scheduling: '^server/scheduling/',
	http: '^server/http/',
	live: '^server/live/',
	connectors: '^workers/connectors/',
	jobs: '^workers/jobs/',
	queues: '^workers/queues[.]ts$',
	web: '^web/'
};

/** Module → the modules it may import besides itself. */
const mayImport = {
	domain: [],
	platform: ['domain'],
	store: ['domain', 'platform'],
	feed: ['domain', 'platform', 'store'],
	scheduling: ['domain', 'platform', 'store'],
	http: ['domain', 'platform', 'scheduling'],
	live: ['domain', 'platform', 'store', 'feed', 'scheduling'],
	connectors: ['domain', 'platform'],
	queues: ['domain', 'platform'],
	jobs: ['domain', 'platform', 'store', 'feed', 'scheduling', 'connectors', 'queues'],
	web: ['domain']
};

const ours = '^(domain|server|workers|web|demo|ops|tests)/';

const tableRules = Object.entries(mayImport).map(([name, allowed]) => ({
	name: `${name}-imports`,
	comment: `${name} may import only: ${allowed.join(', ') || 'nothing of ours'}`,
	severity: 'error',
	from: { path: modules[name] },
	to: {
		path: ours,
		pathNot: [modules[name], ...allowed.map((other) => modules[other])]
	}
}));

export default {
	forbidden: [
		...tableRules,
		{
			name: 'domain-is-pure',
			comment: 'domain/ knows zod and nothing else: no I/O, no clock, no framework',
			severity: 'error',
			from: { path: modules.domain },
			to: { pathNot: ['^domain/', '^node_modules/zod/'] }
		},
		{
			name: 'the-hub-reads-no-source',
			comment:
				'a hub serves thousands of viewers on one event loop: what fetches and parses other people’s answers is a worker',
			severity: 'error',
			from: { path: '^server/' },
			to: { path: '^workers/', pathNot: modules.queues }
		},
		{
			name: 'clinics-know-nothing-of-the-hub',
			severity: 'error',
			from: { path: '^demo/clinics/' },
			to: { path: '^(server|workers|web)/' }
		},
		{
			name: 'nothing-imports-the-edges',
			comment: 'main files, demo, ops and tests are entry points',
			severity: 'error',
			from: { path: '^(domain|server|workers|web)/' },
			to: { path: '^(demo|ops|tests)/|^(server|workers)/main[.]ts$' }
		},
		{
			name: 'no-circular',
			severity: 'error',
			from: {},
			to: { circular: true, dependencyTypesNot: ['type-only'] }
		},
		{
			name: 'sql-only-in-store',
			comment: 'the Postgres client is made in platform and used in store',
			severity: 'error',
			from: { path: '^(server/(http|live)|workers/(jobs|connectors)|web)/' },
			to: { path: '^node_modules/postgres/' }
		},
		{
			name: 'no-dev-dependency-in-production',
			severity: 'error',
			from: { path: '^(domain|server|workers)/' },
			to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }
		},
		{
			name: 'not-to-unresolvable',
			severity: 'error',
			from: { pathNot: '^web/' },
			to: { couldNotResolve: true, pathNot: '^[.]{1,2}/.*build/handler[.]js$' }
		}
	],
	options: {
		doNotFollow: { path: 'node_modules' },
		exclude: { path: '^(build|web/paraglide|[.]svelte-kit)/' },
		tsPreCompilationDeps: true,
		tsConfig: { fileName: 'tsconfig.json' },
		enhancedResolveOptions: {
			exportsFields: ['exports'],
			conditionNames: ['svelte', 'import', 'node', 'default', 'types'],
			extensions: ['.ts', '.js', '.mjs', '.json', '.svelte']
		},
		reporterOptions: {
			mermaid: { minify: false },
			dot: {}
		}
	}
};
