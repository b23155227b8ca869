// One Vitest project per kind of machine a test needs; the suffix of a test file names it.
import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';

const support = './tests/support';
const postgres = `${support}/setup-postgres.ts`;
const redis = `${support}/setup-redis.ts`;
const web = `${support}/setup-web.ts`;

const suffixes = ['pg', 'redis', 'hub', 'e2e', 'sim', 'chaos'];

type Kind = { include: string; setup: string[]; timeoutMs: number; order: number };

const project = (name: string, kind: Kind): TestProjectInlineConfiguration => ({
	extends: true,
	test: {
		name,
		include: [`tests/**/*${kind.include}`],
		exclude: name === 'unit' ? suffixes.map((suffix) => `tests/**/*.${suffix}.test.ts`) : [],
		globalSetup: kind.setup,
		testTimeout: kind.timeoutMs,
		hookTimeout: kind.timeoutMs,
		sequence: { groupOrder: kind.order }
	}
});

export default defineConfig({
	test: {
		pool: 'forks',
		maxWorkers: 2,
		setupFiles: [`${support}/setup-leaks.ts`],
		allowOnly: false,
		projects: [
			project('unit', { include: '.test.ts', setup: [], timeoutMs: 20_000, order: 0 }),
			project('pg', { include: '.pg.test.ts', setup: [postgres], timeoutMs: 30_000, order: 1 }),
			project('redis', { include: '.redis.test.ts', setup: [redis], timeoutMs: 30_000, order: 1 }),
			project('hub', {
				include: '.hub.test.ts',
				setup: [postgres, redis],
				timeoutMs: 60_000,
				order: 2
			}),
			project('sim', {
				include: '.sim.test.ts',
				setup: [postgres, redis],
				timeoutMs: 120_000,
				order: 3
			}),
			project('e2e', {
				include: '.e2e.test.ts',
				setup: [postgres, redis, web],
				timeoutMs: 90_000,
				order: 4
			}),
			// Alone on the machine: it measures nothing, but it needs every core to get through.
			project('chaos', {
				include: '.chaos.test.ts',
				setup: [],
				timeoutMs: 420_000,
				order: 5
			})
		]
	}
});
