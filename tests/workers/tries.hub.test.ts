// A try goes on when the worker that has it is killed: real processes, a source that hangs once.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import { developmentKeys } from '#server/platform/config-variables.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { createSourceDesk } from '#server/scheduling/source-desk.ts';
import { startOffice } from '../../demo/clinics/small/start.ts';
import { mustClose } from '../support/leaks.ts';
import { startMoodyServer } from '../support/moody-server.ts';
import { startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';
import { stages } from './connectors/office-stages.ts';
import { makeSource } from './connectors/poll-once.ts';

const [, phiKey = ''] = developmentKeys.phi.split(':');
const secrets = createSecretCipher(new Map([['dev', Buffer.from(phiKey, 'base64')]]));
const { kind, notes } = must(stages.find(({ format }) => format === 'vendor'));

test('[W50] a worker killed in the middle of a try: another reads the source and ends it', async () => {
	await using system = await startSystem({ keys: ['prairie-lantern'], slotCount: 40 });
	const office = await startOffice('vendor');
	await using _office = mustClose('office', { close: () => office.close() });
	await using source = await startMoodyServer(office.url, 'mute');
	const { sql } = system.database;
	const desk = createSourceDesk({ sql, secrets, publish: () => {} });
	const look = async (id: Parameters<typeof desk.readDraft>[0]) => {
		const draft = await desk.readDraft(id);
		if (!draft.ok) throw new Error(draft.reason);
		return draft.value;
	};

	const first = await system.startWorkers();
	const settings = makeSource({ key: 'tried', name: 'Tried', kind, url: source.url, notes });
	const id = await desk.try('operator:page abc', { settings, secret: 'a-secret' });
	await until(() => source.asked() > 0, { timeoutMs: 30_000 });
	expect((await look(id)).worker).toMatch(new RegExp(`:${first.pid}$`));
	const second = await system.startWorkers();
	expect(await first.kill('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
	source.become('fine');
	// Nobody takes it from a worker that may only be slow, until its time is over.
	expect(await look(id)).toMatchObject({ report: null, why: null, hasSecret: true });
	await sql`update source_drafts set taken_until = clock_timestamp() where id = ${id}`;
	await until(async () => (await look(id)).report !== null, { timeoutMs: 30_000 });
	expect(await look(id)).toMatchObject({
		why: null,
		worker: null,
		hasSecret: true,
		report: { state: 'complete', scheduleCount: 1 }
	});
	expect(second.output()).toMatch(/"source":"tried".*"try_done"/);
	expect(first.output()).not.toContain('try_done');
	expect(await desk.add('operator:page abc', id, false)).toMatchObject({ ok: true });
}, 240_000);
