// What sources push, against a real store: who may, once over all hubs, in order, and what it changes.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { newEstimate, flatPool } from '#domain/polling/estimate.ts';
import { storeEstimate } from '#domain/polling/stored.ts';
import { TOLERANCE_MS } from '#domain/push/webhook.ts';
import { MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import { applyPushes } from '#server/scheduling/apply-pushes.ts';
import { takePush, type TakePush } from '#server/scheduling/take-push.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { createPushKeys, turnPushKey } from '#server/store/push-keys.ts';
import { commitPush } from '#server/store/commit-push.ts';
import { claimPoll } from '#server/store/sources.ts';
import { readSourceStatuses } from '#server/store/status.ts';
import { takeSignals, watchPushes } from '#workers/jobs/take-signals.ts';
import { createPollPolicy } from '#workers/jobs/poll-policy.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createFakeConnector, createTestLog, ofEveryKind } from '../workers/fakes.ts';
import {
	claim,
	makeAnswer,
	makeFact,
	makePolledSource,
	poll,
	readWholeLog,
	tryPoll
} from '../store/poll-world.ts';
import {
	calComWebhook,
	notification,
	olderKey,
	pushKey,
	slotResource,
	webhook,
	type Message
} from './push-world.ts';

let database: TestDatabase;
let sourceId: SourceId;
let now: Instant;

beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
	await database.sql`delete from sources`;
	await database.sql`update rooms set seq = 0`;
	await database.sql`delete from change_log`;
	now = toInstant(Date.now());
	sourceId = await makePolledSource(database.sql, facts(), {
		source: { minIntervalMs: 60_000, freshForMs: 5 * MINUTE_MS }
	});
	await teach();
});

const facts = (version = '1') => [1, 2, 3].map((index) => makeFact(index, { version }));

/** As a good poll leaves it behind: known, planned in an hour. */
const teach = async (): Promise<void> => {
	const learned = JSON.stringify(storeEstimate(newEstimate(flatPool, 60_000)));
	await database.sql`
		insert into poll_estimates (source_id, learned, per_hour, cost, last_good_at, not_before,
			planned_ms, weight, price)
		values (${sourceId}, ${learned}::text::jsonb, 1, 1, clock_timestamp(), clock_timestamp(),
			3600000, 1, 0)
		on conflict (source_id) do nothing`;
	await database.sql`update sources set next_poll_at = clock_timestamp() + interval '1 hour'`;
};

/** The lines of one event. */
const listen = () => {
	const { log, lines } = createTestLog();
	return { log, events: (name: string) => lines.filter((line) => line.event === name) };
};

const cipher = createSecretCipher(new Map([['k1', Buffer.alloc(32, 7)]]));

const pushKeys = (entry = `${pushKey}|${olderKey}`) => {
	const secrets = new Map(entry === '' ? [] : [['big-sky.push', entry]]);
	return createPushKeys({ sql: database.sql, cipher, secrets });
};

/** One hub process. */
const hub = () => {
	const { log, events } = listen();
	const take = takePush({
		sql: database.sql,
		clock: { now: () => now },
		log,
		keysOf: pushKeys().of,
		apply: () => {}
	});
	return { take, events };
};

const send = (take: TakePush, { headers, body }: Message, source = 'big-sky') =>
	take({ source, header: (name) => headers[name] ?? '', body: Buffer.from(body) });

const inbox = () => database.sql<{ changes: number; slots: unknown[] }[]>`
	select changes, slots from push_inbox order by id`;

const nextPollInMs = async (): Promise<number> => {
	const [row] = await database.sql<{ ms: number }[]>`
		select (extract(epoch from next_poll_at - clock_timestamp()) * 1000)::float8 as ms from sources`;
	return row?.ms ?? Number.NaN;
};

const queues = { addPoll: async () => true };

const worker = () => {
	const { log, events } = listen();
	const { sql } = database;
	const apply = applyPushes({ sql, publish: () => {}, addAlerts: async () => {}, log });
	const deps = { sql, queues, clock: { now: () => toInstant(Date.now()) }, log, apply };
	return { run: takeSignals(deps), watch: watchPushes(deps), events };
};

const statuses = async (): Promise<string[]> => {
	const rows = await database.sql<{ status: string }[]>`
		select status from slots order by starts_at`;
	return rows.map(({ status }) => status);
};

test('[Y1] a wrong key, no key and an unknown source sound alike and leave nothing', async () => {
	const { take } = hub();
	const refused = { ok: false, reason: 'push_not_signed' };
	const wrong = `whsec_${Buffer.alloc(32, 6).toString('base64')}`;
	expect(await send(take, webhook('a', now, '{}', wrong))).toEqual(refused);
	expect(await send(take, webhook('a', now), 'nobody')).toEqual(refused);
	expect(await send(take, { headers: {}, body: '{}' })).toEqual(refused);
	expect(await send(take, notification({ type: 'heartbeat', since: 0 }, wrong))).toEqual(refused);
	await database.sql`update sources set enabled = false`;
	expect(await send(take, webhook('a', now))).toEqual(refused);
	expect(await inbox()).toEqual([]);
	expect(await database.sql`select 1 from push_seen`).toEqual([]);
});

test('[Y2] the current key and the older one count', async () => {
	const { take } = hub();
	const taken = { ok: true, value: { outcome: 'taken' } };
	expect(await send(take, webhook('a', now))).toEqual(taken);
	expect(await send(take, webhook('b', now, '{}', olderKey))).toEqual(taken);
	expect((await inbox()).length).toBe(2);
});

test('[Y3] a signed time beyond five minutes is refused; a body that is no JSON too', async () => {
	const { take } = hub();
	const second = Math.floor(now / 1_000) * 1_000;
	now = toInstant(second);
	for (const sentAt of [second - TOLERANCE_MS - 1_000, second + TOLERANCE_MS + 1_000]) {
		expect(await send(take, webhook('old', sentAt))).toEqual({
			ok: false,
			reason: 'push_out_of_time'
		});
	}
	for (const sentAt of [second - TOLERANCE_MS, second + TOLERANCE_MS]) {
		expect((await send(take, webhook(`in-${sentAt}`, sentAt))).ok).toBe(true);
	}
	expect(await send(take, webhook('odd', second, 'no json'))).toEqual({
		ok: false,
		reason: 'bad_request'
	});
});

test('[Y3] one message sent to two hubs at once, again and again, counts once', async () => {
	const [one, other] = [hub(), hub()];
	const message = webhook('msg.with.dots', now);
	const replies = await Promise.all(
		Array.from({ length: 20 }, (_, index) => send((index % 2 === 0 ? one : other).take, message))
	);
	const outcomes = replies.map((reply) => (reply.ok ? reply.value.outcome : reply.reason));
	expect(outcomes.filter((outcome) => outcome === 'taken').length).toBe(1);
	expect(outcomes.filter((outcome) => outcome === 'repeated').length).toBe(19);
	expect(await inbox()).toEqual([{ changes: 1, slots: [] }]);
	const [link] = await database.sql`select repeated from push_links`;
	expect(link).toEqual({ repeated: 19 });
});

test('[Y4] Cal.com: the body alone is signed, its time counts, and the same body counts once', async () => {
	const { take } = hub();
	const message = calComWebhook(now, { payload: { uid: 'x' } });
	expect(await send(take, message)).toEqual({ ok: true, value: { outcome: 'taken' } });
	expect(await send(take, message)).toEqual({ ok: true, value: { outcome: 'repeated' } });
	expect(await send(take, calComWebhook(now - TOLERANCE_MS - 1))).toEqual({
		ok: false,
		reason: 'push_out_of_time'
	});
	const unsigned = { headers: { 'x-cal-signature-256': 'no-secret-provided' }, body: message.body };
	expect((await send(take, unsigned)).ok).toBe(false);
});

test('[Y5] a body that is no notification is refused', async () => {
	const { headers } = notification({ type: 'heartbeat', since: 0 });
	for (const body of ['', '{}', '[]', '{"resourceType":"Schedule","id":"a"}', '{"resourceType":']) {
		expect(await send(hub().take, { headers, body })).toEqual({ ok: false, reason: 'bad_request' });
	}
});

const begin = async (take: TakePush): Promise<void> => {
	await send(take, notification({ type: 'handshake', since: 0 }));
	await database.sql`delete from push_inbox`;
};

const busy = (index: number, version: string) =>
	slotResource({ ...makeFact(index), status: 'busy', remaining: 0, version });

const event = (number: number, resource: object, since = number) =>
	notification({ type: 'event-notification', since, events: [number], resources: [resource] });

test('[Y6] a slot told in full is written and told to its rooms; nothing is removed', async () => {
	const { take } = hub();
	await begin(take);
	const before = (await readWholeLog(database.sql, 'dermatology:us-mt')).length;
	await send(take, event(1, busy(1, '2')));
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 1, unsure: 0 });
	expect(await statuses()).toEqual(['busy', 'free', 'free']);
	expect((await readWholeLog(database.sql, 'dermatology:us-mt')).length).toBe(before + 1);
	expect(await inbox()).toEqual([]);
	expect(await commitPush(database.sql, sourceId)).toBeNull();
	const [learned] = await database.sql`select told, signalled from poll_estimates`;
	expect(learned).toEqual({ told: 1, signalled: 0 });
});

test('[Y6] a new time is offered; one of a schedule that nobody described asks for a poll', async () => {
	const { take } = hub();
	await begin(take);
	await send(
		take,
		event(
			1,
			slotResource(makeFact(9, { version: '1' }), {
				meta: { lastUpdated: new Date(now + 60_000).toISOString() }
			})
		)
	);
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 1 });
	expect((await statuses()).length).toBe(4);
	await send(
		take,
		event(
			2,
			slotResource(makeFact(9, { scheduleKey: 'new' }), {
				meta: { lastUpdated: new Date(now + 60_000).toISOString() }
			})
		)
	);
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 0, unsure: 1 });
	expect(await inbox()).toEqual([{ changes: 1, slots: [] }]);
});

test('[Y6] what a hub left behind between its answer and writing is written by a worker', async () => {
	const { take } = hub();
	await begin(take);
	await send(take, event(1, busy(2, '2')));
	await database.sql`update push_inbox set at = at - interval '2 seconds'`;
	await worker().run();
	expect(await statuses()).toEqual(['free', 'busy', 'free']);
});

test('[Y7] an older version is out of date, whichever way it comes', async () => {
	const { take } = hub();
	await begin(take);
	const two = event(2, slotResource({ ...makeFact(1), version: '3' }));
	await send(take, two);
	await send(take, event(1, busy(1, '2'), 2));
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 1, outOfDate: 1 });
	expect(await statuses()).toEqual(['free', 'free', 'free']);
});

test('[Y7][Y13] a poll that began before a push keeps what it wrote, and the next one reads all', async () => {
	const { take } = hub();
	await begin(take);
	await database.sql`update sources set next_poll_at = clock_timestamp()`;
	const held = await claim(database.sql, sourceId);
	expect(held.isPushed).toBe(false);
	await send(take, event(1, busy(1, '2')));
	await commitPush(database.sql, sourceId);
	// Without versions only the order of begin and push tells.
	const done = await tryPoll(database.sql, sourceId, { facts: facts(''), claim: held });
	expect(done).toMatchObject({ ok: true, value: { kept: 1 } });
	expect(await statuses()).toEqual(['busy', 'free', 'free']);
	const next = await claim(database.sql, sourceId);
	expect(next.isPushed).toBe(true);
	await poll(database.sql, sourceId, { facts: facts(''), claim: next });
	expect(await statuses()).toEqual(['free', 'free', 'free']);
	expect((await claim(database.sql, sourceId)).isPushed).toBe(false);
});

test('[Y7][S32] a poll answered by a copy that lags behind does not undo a push', async () => {
	const { take } = hub();
	await begin(take);
	await send(take, event(1, busy(1, '2')));
	await commitPush(database.sql, sourceId);
	await database.sql`update sources set next_poll_at = clock_timestamp()`;
	const lagging = await poll(database.sql, sourceId, { facts: facts('1') });
	expect(lagging).toMatchObject({ kept: 1, opened: 0 });
	expect(await statuses()).toEqual(['busy', 'free', 'free']);
});

test('[Y8] a lost notification: the gap is told to the operator and asks for a poll at once', async () => {
	const { take, events } = hub();
	await begin(take);
	await send(take, event(1, busy(1, '2')));
	await send(take, event(4, busy(2, '2')));
	expect(events('push_gap')).toEqual([expect.objectContaining({ sourceId, lost: 2 })]);
	await commitPush(database.sql, sourceId);
	expect(await inbox()).toEqual([{ changes: 2, slots: [] }]);
	expect(await nextPollInMs()).toBeGreaterThan(3_000_000);
	await worker().run();
	expect(await nextPollInMs()).toBeLessThan(1_000);
	expect(await inbox()).toEqual([]);
});

test('[Y8] a subscription that says error: the operator hears of it and polling is as ever', async () => {
	const { take, events } = hub();
	await begin(take);
	await send(take, notification({ type: 'heartbeat', since: 0, status: 'error' }));
	expect(events('push_broken').length).toBe(1);
	await worker().run();
	const [learned] = await database.sql`select pushes from poll_estimates`;
	expect(learned).toEqual({ pushes: false });
	expect(await nextPollInMs()).toBeLessThan(1_000);
});

test('[Y9] a repeated notification changes nothing and is answered kindly', async () => {
	const { take } = hub();
	await begin(take);
	await send(take, event(1, busy(1, '2')));
	await database.sql`delete from push_inbox`;
	expect(await send(take, event(1, busy(1, '2')))).toEqual({
		ok: true,
		value: { outcome: 'repeated' }
	});
	expect(await inbox()).toEqual([]);
});

test('[Y10][Y19] two missed heartbeats: told once, polled at once, and heard again it is believed', async () => {
	const { take, events: heard } = hub();
	await begin(take);
	await database.sql`
		update push_links set heartbeat_ms = 30000, heard_at = heard_at - interval '61 seconds'`;
	const { run, watch, events } = worker();
	expect(await watch()).toBe(1);
	expect(await watch()).toBe(0);
	expect(events('push_silent')).toEqual([expect.objectContaining({ sourceId, source: 'big-sky' })]);
	await run();
	expect(await nextPollInMs()).toBeLessThan(1_000);
	expect(await database.sql`select pushes from poll_estimates`).toEqual([{ pushes: false }]);
	await send(take, notification({ type: 'heartbeat', since: 0 }));
	expect(heard('push_back')).toEqual([expect.objectContaining({ sourceId, source: 'big-sky' })]);
	expect(await database.sql`select pushes from poll_estimates`).toEqual([{ pushes: true }]);
});

test('[Y11] a signal during a poll waits for its end and then asks for another', async () => {
	const { take } = hub();
	await database.sql`update sources set next_poll_at = clock_timestamp()`;
	expect(await claimPoll(database.sql, sourceId, 60_000)).not.toBeNull();
	await send(take, webhook('a', now));
	const { run } = worker();
	await run();
	expect((await inbox()).length).toBe(1);
	await database.sql`
		update sources set polling_until = null, next_poll_at = clock_timestamp() + interval '1 hour'`;
	await run();
	expect(await inbox()).toEqual([]);
	expect(await nextPollInMs()).toBeLessThan(1_000);
});

const planned = async (changes = 0): Promise<number> => {
	const { log } = createTestLog();
	const policy = createPollPolicy({ sql: database.sql, log });
	const plan = await policy.plan({
		sourceId,
		key: 'big-sky',
		url: 'https://clinic.example/manifest.json',
		startedAt: toInstant(Date.now()),
		changes,
		unchanged: false,
		floorMs: 60_000
	});
	await plan?.keep();
	return plan?.nextInMs ?? Number.NaN;
};

test('[Y12] a source that tells is polled before its times would be old, one that fell silent as ever', async () => {
	expect(await planned()).toBe(60_000);
	const { take } = hub();
	await begin(take);
	expect(await planned()).toBe(4 * MINUTE_MS);
	await database.sql`
		update push_links set heartbeat_ms = 30000, heard_at = heard_at - interval '61 seconds'`;
	await worker().watch();
	expect(await planned()).toBe(60_000);
});

test('[Y17] the operator sees whether a source tells, was only asked, fell silent or is out of order', async () => {
	const standing = async () => (await readSourceStatuses(database.sql))[0]?.push?.state ?? null;
	expect(await standing()).toBeNull();
	const { take } = hub();
	await begin(take);
	expect(await standing()).toBe('telling');
	await send(take, event(3, busy(1, '2')));
	const [status] = await readSourceStatuses(database.sql);
	expect(status?.push?.lost).toBe(3);
	expect(Math.abs((status?.push?.heardAt ?? 0) - Date.now())).toBeLessThan(MINUTE_MS);
	await send(take, notification({ type: 'heartbeat', since: 3, status: 'off' }));
	expect(await standing()).toBe('broken');
	await database.sql`update push_links set silent = true`;
	expect(await standing()).toBe('silent');
	await database.sql`update push_links set silent = false, status = 'requested'`;
	expect(await standing()).toBe('asked');
});

test('[Y18] a key made by the operator counts at once, the one before beside it, older ones no more', async () => {
	const { of, sources } = pushKeys('');
	const source = { id: sourceId, key: 'big-sky' };
	expect([await of(source), await sources()]).toEqual([[], []]);
	const turn = () => database.sql.begin((tx) => turnPushKey(tx, cipher, sourceId, 'operator:test'));
	const [one, two, three] = [await turn(), await turn(), await turn()];
	expect(new Set([one, two, three]).size).toBe(3);
	expect(await of(source)).toEqual([three, two]);
	expect(await sources()).toEqual(['big-sky']);
	// What the environment gives counts first.
	expect(await pushKeys().of(source)).toEqual([pushKey, olderKey]);
	const [row] = await database.sql`select sealed::text from source_secrets`;
	expect(JSON.stringify(row)).not.toContain(three);
});

test('[Y12] a webhook that was not sent is found by the net, and the source is polled as ever', async () => {
	const { take } = hub();
	await send(take, webhook('a', now));
	await worker().run();
	expect(await planned()).toBe(4 * MINUTE_MS);
	expect(await planned(2)).toBe(60_000);
	expect(await planned()).toBe(60_000);
	await send(take, webhook('b', now));
	await worker().run();
	expect(await planned(1)).toBe(4 * MINUTE_MS);
});

test('[Y13] the worker asks for everything after a push, and for changes again after that', async () => {
	const { log } = createTestLog();
	const { sql } = database;
	let version = '1';
	const connector = createFakeConnector(() =>
		makeAnswer({ listing: { form: 'full', facts: facts(version) } })
	);
	const connectors = ofEveryKind(connector);
	const run = createPollSource({
		sql,
		connectors,
		publish: () => {},
		queues: { ...queues, addAlerts: async () => {} },
		log
	});
	const pollNow = async () => {
		await sql`update sources set next_poll_at = clock_timestamp()`;
		await run(sourceId, new AbortController().signal);
		return connector.requests.at(-1)?.wantFull;
	};
	const { take } = hub();
	await begin(take);
	expect([await pollNow(), await pollNow()]).toEqual([true, false]);
	await send(take, event(1, busy(1, '2')));
	await commitPush(sql, sourceId);
	version = '3';
	expect([await pollNow(), await pollNow()]).toEqual([true, false]);
});

test('[Y11] a signal between the beginning of a poll and what it taught stands', async () => {
	const { log } = createTestLog();
	const startedAt = toInstant(Date.now() - 1_000);
	await database.sql`update poll_estimates set last_good_at = last_good_at - interval '1 minute'`;
	const about = { sourceId, key: 'big-sky', url: 'https://clinic.example/' };
	const polled = { ...about, changes: 0, unchanged: false, floorMs: 60_000 };
	const policy = createPollPolicy({ sql: database.sql, log });
	const plan = await policy.plan({ ...polled, startedAt });
	await send(hub().take, webhook('a', now));
	await worker().run();
	await plan?.keep();
	expect(await database.sql`select signalled from poll_estimates`).toEqual([{ signalled: 1 }]);
	const next = await policy.plan({ ...polled, startedAt: toInstant(Date.now() + 1) });
	await next?.keep();
	expect(await database.sql`select signalled from poll_estimates`).toEqual([{ signalled: 0 }]);
});

test('[Y6] a slot without version and time cannot be judged: it asks for a poll', async () => {
	const { take } = hub();
	await begin(take);
	await send(take, event(1, slotResource({ ...makeFact(1), status: 'busy' }, { meta: {} })));
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 0, unsure: 1 });
	expect(await inbox()).toEqual([{ changes: 1, slots: [] }]);
	expect(await statuses()).toEqual(['free', 'free', 'free']);
});
