import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
	ConfigError,
	listVariables,
	parseConfig,
	renderEnvExample
} from '#server/platform/config.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const good = {
	DATABASE_URL: 'postgres://slotcast:s3cret@db.example/slotcast',
	HUB_PHI_KEYS: `k2:${key},k1:${key}`,
	HUB_LINK_KEY: key
};

const problemsOf = (env: Record<string, string>): readonly string[] => {
	try {
		parseConfig(env);
	} catch (error) {
		if (error instanceof ConfigError) return error.problems;
	}
	return [];
};

describe('the environment', () => {
	test('[S28] with the three secrets is enough', () => {
		const config = parseConfig(good);
		expect(config).toMatchObject({
			mode: 'production',
			databaseUrl: good.DATABASE_URL,
			redisUrl: 'redis://127.0.0.1:6379',
			port: 3000,
			trustProxy: 0,
			allowPrivateSources: false,
			allowedOrigins: [],
			holdTtlMs: 300_000
		});
		expect(config.phiKeys.map(({ id, key }) => [id, key.length])).toEqual([
			['k2', 32],
			['k1', 32]
		]);
		expect(config.linkKey).toEqual(Buffer.alloc(32, 7));
	});

	test('[S28] in production has no default keys, and says how to make one', () => {
		const problems = problemsOf({ DATABASE_URL: good.DATABASE_URL });
		expect(problems).toHaveLength(2);
		for (const problem of problems) expect(problem).toMatch(/is missing\. .*randomBytes\(32\)/);
		expect(parseConfig({ ...good, HUB_MODE: 'development' }).phiKeys).toHaveLength(2);
		const development = { DATABASE_URL: good.DATABASE_URL, HUB_MODE: 'development' };
		expect(parseConfig(development).phiKeys[0]?.id).toBe('dev');
	});

	test('[S28] is checked whole, one line for each problem', () => {
		const problems = problemsOf({
			PORT: '70000',
			REDIS_URL: 'http://x',
			HUB_TRUST_PROXY: 'yes',
			HUB_ALLOW_PRIVATE_SOURCES: '1',
			HUB_ALLOWED_ORIGINS: 'https://a.example, nonsense',
			HUB_PHI_KEYS: 'k1:c2hvcnQ=',
			HUB_LINK_KEY: key,
			HUB_LOG_LEVEL: 'loud',
			HUB_UPKEEP_CRON: 'nightly'
		});
		expect(problems.map((line) => line.split(' ')[0])).toEqual([
			'DATABASE_URL',
			'REDIS_URL',
			'PORT',
			'HUB_ALLOWED_ORIGINS',
			'HUB_PHI_KEYS',
			'HUB_LOG_LEVEL',
			'HUB_TRUST_PROXY',
			'HUB_ALLOW_PRIVATE_SOURCES',
			'HUB_UPKEEP_CRON'
		]);
	});

	test('[S28] never shows a secret', () => {
		const shown = problemsOf({
			DATABASE_URL: 'mysql://slotcast:s3cret@db.example',
			HUB_PHI_KEYS: 'k1:hunter2',
			HUB_LINK_KEY: 'hunter2'
		}).join('\n');
		expect(shown).toContain('DATABASE_URL');
		expect(shown).not.toMatch(/s3cret|hunter2/);
	});

	test('[S28] reads lists, addresses and switches', () => {
		const config = parseConfig({
			...good,
			HUB_ALLOWED_ORIGINS: 'https://a.example/path, http://b.example:8080',
			HUB_PUBLIC_URL: 'https://slotcast.example/',
			HUB_ALLOW_PRIVATE_SOURCES: 'true',
			PORT: ''
		});
		expect(config).toMatchObject({
			allowedOrigins: ['https://a.example', 'http://b.example:8080'],
			publicUrl: 'https://slotcast.example',
			allowPrivateSources: true,
			port: 3000
		});
		expect(problemsOf({ ...good, HUB_PHI_KEYS: `a:${key},a:${key}` })).toEqual([
			'HUB_PHI_KEYS names the key "a" twice.'
		]);
	});
});

describe('.env.example', () => {
	const file = readFileSync(join(import.meta.dirname, '../../.env.example'), 'utf8');

	test('[S29] is what the table of variables says', () => {
		expect(file).toBe(renderEnvExample());
	});

	test('[S29] names every variable once, with its meaning on the line before', () => {
		for (const { name, meaning } of listVariables()) {
			expect(file.split(new RegExp(`^#?${name}=`, 'm'))).toHaveLength(2);
			expect(file).toContain(`# ${meaning}\n`);
			expect(name).toMatch(/^(HUB_[A-Z_]+|DATABASE_URL|REDIS_URL|PORT)$/);
		}
	});

	test('[S29] holds defaults that are right', () => {
		const lines = file.split('\n').filter((line) => /^#[A-Z_]+=/.test(line));
		const env = Object.fromEntries(
			lines.map((line) => [line.slice(1, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
		);
		expect(parseConfig({ ...env, ...good })).toEqual(parseConfig(good));
	});
});
