// The command that tries one source: what it prints and how it ends.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { readCommand, WrongUse } from '../../ops/source/read-command.ts';
import { startClinics } from '../../demo/clinics/start.ts';
import { startOffice } from '../../demo/clinics/small/start.ts';
import { mustClose } from '../support/leaks.ts';

const entry = resolve(import.meta.dirname, '../../ops/slotcast.js');

const run = (
	args: readonly string[]
): Promise<{ code: number; lines: Record<string, unknown>[] }> =>
	new Promise((done) => {
		execFile(
			process.execPath,
			[entry, 'source', 'try', ...args, '--json'],
			{ maxBuffer: 50_000_000 },
			(error, stdout) => {
				const lines = stdout.split('\n').filter((line) => line !== '');
				done({
					code: typeof error?.code === 'number' ? error.code : 0,
					lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>)
				});
			}
		);
	});

test('[A40] it prints schedules, slots and a summary, one JSON object a line', async () => {
	await using world = mustClose(
		'clinics',
		await startClinics({ seed: 2, slotCount: 60, organisations: 2 })
	);
	for (const clinic of world.clinics) {
		const { code, lines } = await run([clinic.kind, clinic.url, '--allow-private']);
		expect(code).toBe(0);
		const of = (type: string) => lines.filter((line) => line['type'] === type);
		expect(of('schedule')).toHaveLength(clinic.organisation.practitioners.length);
		expect(of('slot')).toHaveLength(clinic.truth().slots.length);
		expect(lines.at(-1)).toMatchObject({
			type: 'summary',
			state: 'complete',
			slots: of('slot').length
		});
	}
});

test('[A40] a silent source ends with 2 and says why; private addresses need a word', async () => {
	await using world = mustClose(
		'clinics',
		await startClinics({ seed: 2, slotCount: 20, organisations: 1 })
	);
	const { code, lines } = await run([must(world.clinics[0]).kind, must(world.clinics[0]).url]);
	expect(code).toBe(2);
	expect(lines).toMatchObject([{ type: 'summary', state: 'silent', reason: 'refused_address' }]);
});

test.each([
	[[]],
	[['smart-scheduling-links']],
	[['telepathy', 'https://clinic.example/']],
	[['fhir-slots', 'nonsense']],
	[['fhir-slots', 'https://clinic.example/', '--zone', 'Mars/Base']],
	[['fhir-slots', 'https://clinic.example/', '--now', 'today']],
	[['fhir-slots', 'https://clinic.example/', '--wat']]
])('[A40] %j is not understood', (args) => {
	expect(() => readCommand(['source', 'try', ...args])).toThrow(WrongUse);
});

test('[A40] what is asked for is understood', () => {
	const args = ['fhir-slots', 'https://clinic.example/fhir', '--trust', 'wall', '--days', '3'];
	const asked = ['source', 'try', ...args, '--now', '2023-03-24T00:00:00Z'];
	expect(readCommand(asked)).toMatchObject({
		name: 'try',
		nowMs: Date.UTC(2023, 2, 24),
		settings: { notes: { trust: 'wall' }, windowMs: 259_200_000, allowPrivate: false }
	});
});

// Four processes: on a busy machine each takes seconds to start.
test('[A67] a mapping is tried dry: what it would give, what it refuses and why', async () => {
	await using running = mustClose('office', await startOffice('vendor'));
	const folder = mkdtempSync(join(tmpdir(), 'mapping-'));
	const file = join(folder, 'mapping.json');
	const mapping = {
		format: 'json',
		paging: { by: 'link', at: 'links.next' },
		slots: {
			each: [{ as: 'opening', at: 'result.openings[*]' }],
			id: 'opening.id',
			start: { at: 'opening.begin', as: 'wall' },
			minutes: 'opening.minutes'
		}
	};
	const args = ['mapped', running.url, '--allow-private', '--mapping', file];
	try {
		writeFileSync(file, JSON.stringify(mapping));
		const dry = await run([...args, '--zone', 'America/Denver', '--days', '20']);
		expect(dry.code).toBe(0);
		const starts = dry.lines.filter(({ type }) => type === 'slot').map((line) => line['startsAt']);
		expect(starts).toEqual(
			running.office.visits().map(({ startAt }) => new Date(startAt).toISOString())
		);
		// Without a zone a wall time means nothing.
		const lost = await run(args);
		expect(lost.code).toBe(2);
		writeFileSync(
			file,
			JSON.stringify({ ...mapping, slots: { ...mapping.slots, minutes: 'opening.mins' } })
		);
		const wrong = await run([...args, '--zone', 'America/Denver']);
		expect(wrong.lines).toContainEqual({
			type: 'refused',
			where: 'page 1 opening 1',
			reason: 'end is missing'
		});
		writeFileSync(file, '{');
		expect((await run(args)).code).toBe(64);
	} finally {
		rmSync(folder, { recursive: true });
	}
}, 300_000);
