import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SlotId } from '#domain/ids.ts';
import {
	aboutSource,
	createLog,
	logFault,
	publicText,
	type LogLevel
} from '#server/platform/log.ts';

const root = join(import.meta.dirname, '../..');

const collect = (level: LogLevel = 'debug') => {
	const lines: string[] = [];
	const log = createLog({
		name: 'hub',
		level,
		destination: { write: (line) => void lines.push(line) }
	});
	const read = (): Record<string, unknown>[] =>
		lines.map((line) => JSON.parse(line) as Record<string, unknown>);
	return { log, lines, read };
};

describe('the log', () => {
	test('[S30] writes one line of JSON for each fact', () => {
		const { log, read } = collect();
		log.info('hold_placed', { slotId: 7 as SlotId, room: publicText('a:us-mt'), ms: 3, ok: true });
		log.warn('redis_away');
		log.child({ worker: 2 }).error('poll_failed', { because: 'timeout' });
		expect(read()).toEqual([
			expect.objectContaining({
				level: 'info',
				process: 'hub',
				event: 'hold_placed',
				slotId: 7,
				ms: 3
			}),
			expect.objectContaining({ level: 'warn', event: 'redis_away' }),
			expect.objectContaining({ level: 'error', worker: 2, because: 'timeout' })
		]);
		expect(read()[0]?.['time']).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
	});

	test('[S30] writes nothing below its level', () => {
		const { log, lines } = collect('warn');
		log.info('hold_placed');
		log.debug('hold_placed');
		expect(lines).toEqual([]);
	});

	test('[S30] refuses free text and objects when it is compiled', () => {
		const { log } = collect('silent');
		const name: string = 'Rosa Martinez';
		// @ts-expect-error free text
		log.info('hold_placed', { name });
		// @ts-expect-error an object may hold anything
		log.info('hold_placed', { patient: { name } });
		// @ts-expect-error free text in a child
		log.child({ name });
		// @ts-expect-error free text beside a fault
		logFault(log, 'hold_failed', new Error('x'), { name });
		log.info('hold_placed', { because: Math.abs(1) > 0 ? 'expired' : 'released' });
	});

	test('[O28] does not compile where a source is named by its number only', () => {
		const { log, read } = collect();
		// @ts-expect-error only the number
		log.warn('poll_fenced', { sourceId: 7 });
		// @ts-expect-error only the number, in a child
		log.child({ sourceId: 7, gen: 3 });
		// @ts-expect-error only the number, beside a fault
		logFault(log, 'poll_failed', new Error('x'), { sourceId: 7 });
		log.warn('push_silent', { ...aboutSource(7, 'big-sky'), ageMs: 61_000 });
		expect(read().at(-1)).toMatchObject({ sourceId: 7, source: 'big-sky', ageMs: 61_000 });
	});

	test('[S30] of a fault writes name, code and frames, and returns the id it wrote', () => {
		const { log, read, lines } = collect();
		const fault = Object.assign(new TypeError('row (Rosa, Martinez,\n    at home 1961-05-23)'), {
			code: '23505',
			detail: 'Key (phone)=(406 555 0100)'
		});
		const faultId = logFault(log, 'hold_failed', fault, { slotId: 7 });
		expect(read()).toEqual([
			expect.objectContaining({
				level: 'error',
				event: 'hold_failed',
				slotId: 7,
				faultId,
				fault: 'TypeError',
				code: '23505',
				frames: expect.stringContaining('log.test.ts')
			})
		]);
		expect(lines[0]).not.toMatch(/Rosa|Martinez|1961|406 555/);
		logFault(log, 'hold_failed', 'a thrown text about Rosa');
		logFault(log, 'hold_failed', null);
		expect(lines.join('')).not.toContain('Rosa');
	});

	test('[S30] texts that are vouched for are cut', () => {
		expect(publicText('x'.repeat(1_000))).toHaveLength(200);
	});
});

describe('the code', () => {
	const files = globSync('{domain,server,workers}/**/*.ts', { cwd: root }).map((path) => ({
		path,
		text: readFileSync(join(root, path), 'utf8')
	}));

	// A quote before it: a command shown to the operator, not one of ours.
	const writes = /(?<!["'`])\bconsole\.(?:log|error|warn|info|debug|trace|table|dir)\(/;

	test('[S31] writes to no console', () => {
		expect(files.length).toBeGreaterThan(40);
		expect(files.filter(({ text }) => writes.test(text)).map(({ path }) => path)).toEqual([]);
	});

	test('[S31] names every event in snake_case', () => {
		const wrong: string[] = [];
		for (const { path, text } of files) {
			const calls = text.matchAll(
				/\b(?:log\.(?:error|warn|info|debug)\(|logFault\([^,]*,)\s*'([^']*)'/g
			);
			for (const [, event = ''] of calls) {
				if (!/^[a-z0-9]+(_[a-z0-9]+)*$/.test(event)) wrong.push(`${path}: ${event}`);
			}
		}
		expect(wrong).toEqual([]);
	});
});
