// One Vitest project per kind of machine a test needs; the suffix of a test file names it.
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';
import { LongestKindFirst } from './tests/support/longest-kind-first.ts';

const support = './tests/support';
const postgres = `${support}/setup-postgres.ts`;
const redis = `${support}/setup-redis.ts`;
const web = `${support}/setup-web.ts`;

const suffixes = ['pg', 'redis', 'hub', 'e2e', 'sim', 'chaos'];

/**
 * What needs little comes first, so that a plain mistake shows early; then whole systems; the chaos run
 * alone, because it needs every core to get through.
 */
const [SMALL, WHOLE, ALONE] = [0, 1, 2];

/** Timeouts are no measure of speed: they must hold on a machine that does much else. */
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
		// One more than the two cores we promise for: whole systems often wait for each other.
		maxWorkers: 3,
		// Files of one kind share processes: what they import is loaded once, not once a file.
		isolate: false,
		// Node loads the code itself, as in production: nothing is transformed, no import is a getter.
		experimental: { viteModuleRunner: false, nodeLoader: false },
		// What one process has compiled, the hundreds that tests start need not compile again.
		env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '.vitest/compiled') },
		setupFiles: [`${support}/setup-leaks.ts`],
		sequence: { sequencer: LongestKindFirst },
		allowOnly: false,
		projects: [
			project('unit', { include: '.test.ts', setup: [], timeoutMs: 60_000, order: SMALL }),
			project('pg', { include: '.pg.test.ts', setup: [postgres], timeoutMs: 90_000, order: SMALL }),
			project('redis', {
				include: '.redis.test.ts',
				setup: [redis],
				timeoutMs: 90_000,
				order: SMALL
			}),
			project('hub', {
				include: '.hub.test.ts',
				setup: [postgres, redis],
				timeoutMs: 300_000,
				order: WHOLE
			}),
			project('sim', {
				include: '.sim.test.ts',
				setup: [postgres, redis],
				timeoutMs: 300_000,
				order: WHOLE
			}),
			project('e2e', {
				include: '.e2e.test.ts',
				setup: [postgres, redis, web],
				timeoutMs: 240_000,
				order: WHOLE
			}),
			project('chaos', {
				include: '.chaos.test.ts',
				setup: [],
				timeoutMs: 900_000,
				order: ALONE
			})
		]
	}
});
