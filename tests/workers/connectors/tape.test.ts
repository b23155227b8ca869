// A tape of what a poll heard, played back with the source gone.
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Answer } from '#domain/answer.ts';
import { must } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import { toInstant } from '#domain/time.ts';
import { askOnce } from '#workers/connectors/ask-once.ts';
import {
	createRecorder,
	packExchanges,
	playTape,
	unpackExchanges,
	withEarlier,
	type RawExchange
} from '#workers/connectors/tape.ts';
import { profiles } from '../../../demo/clinics/profiles.ts';
import { startClinics } from '../../../demo/clinics/start.ts';
import { startOffice } from '../../../demo/clinics/small/start.ts';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { mustClose } from '../../support/leaks.ts';
import { startFakeServer } from './fake-server.ts';
import { makeConnectors, makeSource } from './poll-once.ts';
import { stages } from './office-stages.ts';

const nowMs = Date.now();
const SECRET = 'tape-canary-secret';

/** Reads it once with the tape running. */
const record = async (settings: SourceSettings) => {
	const recorder = createRecorder();
	const options = { allowPrivate: true, tape: recorder.tape };
	return await recorder.record(() => askOnce(options, { settings, secret: SECRET, nowMs }));
};

const replay = (settings: SourceSettings, exchanges: readonly RawExchange[]): Promise<Answer> =>
	askOnce(
		{ allowPrivate: true, tape: playTape(unpackExchanges(packExchanges(exchanges))) },
		{ settings, secret: 'another', nowMs }
	);

/** All but what the network cost; a fingerprint as it is made. */
const said = ({ bytes: _, ...answer }: Answer): unknown =>
	answer.state === 'silent' ? answer : { ...answer, fingerprint: answer.fingerprint?.() ?? null };

test.each(stages)(
	'[E17] $name: a kept answer reads as it did, with the source gone',
	async (stage) => {
		const office = mustClose('office', await startOffice(stage.format, { startAt: nowMs }));
		const { kind, notes } = stage;
		const source = makeSource({ name: office.office.name, kind, url: office.url, notes });
		const { value, exchanges } = await record(source);
		await office.close();
		expect(value.state).toBe('complete');
		expect(said(await replay(source, exchanges))).toEqual(said(value));
	}
);

test('[E17] so do the kept answers of every simulated clinic', async () => {
	const clinics = mustClose(
		'clinics',
		await startClinics({ seed: 3, startAt: nowMs, slotCount: 60, keys: profiles.map((p) => p.key) })
	);
	const kept = [];
	for (const clinic of clinics.clinics) {
		const source = SourceSettings.parse(sourceOf(clinic));
		kept.push({ source, ...(await record(source)) });
	}
	await clinics.close();
	for (const { source, value, exchanges } of kept) {
		expect(value.state).toBe('complete');
		expect(said(await replay(source, exchanges))).toEqual(said(value));
	}
});

test('[E17] what was never heard is unreachable, and nothing is asked', async () => {
	await using server = await startFakeServer(() => ({ body: {} }));
	const source = makeSource({ kind: 'smart-scheduling-links', url: server.url });
	expect(await replay(source, [])).toMatchObject({ state: 'silent', reason: 'unreachable' });
	expect(server.asked).toEqual([]);
});

test('[E16] no address, no request header and no repeated secret is on a tape', async () => {
	await using server = await startFakeServer(() => ({
		headers: { 'x-echo': SECRET, 'set-cookie': `session=${SECRET}` },
		body: { told: `we heard ${SECRET} and Bearer ${SECRET}`, times: [] }
	}));
	const recorder = createRecorder();
	await using connectors = makeConnectors({
		tape: recorder.tape,
		secretOf: async () => SECRET
	});
	const notes = {
		zone: 'America/Denver',
		find: { style: 'argonaut' as const, holds: false }
	};
	const source = makeSource({ kind: 'fhir-operations', url: `${server.url}/secret-path`, notes });
	const request = {
		source,
		cursor: {},
		basis: null,
		token: 't',
		now: toInstant(nowMs),
		wantFull: true,
		signal: AbortSignal.timeout(10_000)
	};
	const { exchanges } = await recorder.record(() => connectors['fhir-operations'].poll(request));
	expect(server.asked[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
	expect(exchanges).toHaveLength(server.asked.length);
	const text = packExchanges(exchanges).toString('latin1');
	expect(text).toContain('we heard *****');
	for (const word of [SECRET, 'secret-path', '127.0.0.1', 'authorization']) {
		expect(text).not.toContain(word);
	}
});

test('[E16] what others hear meanwhile is not on the tape', async () => {
	await using server = await startFakeServer(() => ({ body: {} }));
	const recorder = createRecorder();
	const source = makeSource({ kind: 'smart-scheduling-links', url: server.url });
	const wish = { settings: source, secret: null, nowMs };
	const ask = () => askOnce({ allowPrivate: true, tape: recorder.tape }, wish);
	const [taped] = await Promise.all([recorder.record(ask), ask(), ask()]);
	expect(server.asked).toHaveLength(3);
	expect(taped.exchanges).toHaveLength(1);
});

const exchange = (page: string, heardAt: number, body = ''): RawExchange => ({
	request: `${page}?${heardAt}`,
	page,
	heardAt,
	status: 200,
	headers: {},
	body: Buffer.from(body)
});

test('[E16] what was not asked again is taken over, unless it is a day old or was asked anew', () => {
	const earlier = [exchange('meta', 50), exchange('old', 5), exchange('slots', 50)];
	const heard = [exchange('slots', 90), exchange('slots', 91)];
	const kept = withEarlier(heard, earlier, 10);
	expect(kept.map(({ request }) => request)).toEqual(['meta?50', 'slots?90', 'slots?91']);
});

test('[E16] bodies are unpacked byte for byte', () => {
	const body = randomBytes(70_000);
	const all = [{ ...exchange('a', 1), body }, exchange('b', 2), exchange('c', 3, 'é')];
	const back = unpackExchanges(packExchanges(all));
	expect(back.map(({ request }) => request)).toEqual(all.map(({ request }) => request));
	expect(must(back[0]).body.equals(body)).toBe(true);
	expect(back.slice(1).map((one) => one.body.toString())).toEqual(['', 'é']);
});
