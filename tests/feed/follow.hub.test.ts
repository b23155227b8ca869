import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { feedChannel, writeFeedMessages } from '#server/feed/message.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { createRedis } from '#server/platform/redis.ts';
import { appendChanges } from '#server/store/change-log.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { seededRandom } from '../support/random.ts';
import { createTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { append, idOf, newChange, quiet, watch } from './feed-world.ts';

let database: TestDatabase;
let shared: TestRedis;
let sql: Sql;
let subscriber: Redis;
let epoch: string;

beforeAll(async () => {
	database = await createTestDatabase({ maxConnections: 16 });
	sql = database.sql;
	shared = await createTestRedis();
	subscriber = createRedis(shared.url, { role: 'subscriber', name: `sub-${shared.prefix}` });
	epoch = await ensureEpoch(sql);
});
afterAll(async () => {
	subscriber.disconnect();
	await shared.close();
	await database.close();
});

/** Beats are far apart: what arrives, arrives by Redis or by a hole being refilled. */
const slowBeat = () => ({ sql, redis: subscriber, prefix: shared.prefix, beatMs: 3_600_000 });

const listening = async (): Promise<void> => {
	const channel = feedChannel(shared.prefix);
	await until(async () => {
		const [, count] = (await shared.client.pubsub('NUMSUB', channel)) as [string, number];
		return Number(count) > 0;
	});
};

const send = async (
	entries: Parameters<typeof writeFeedMessages>[2],
	as = epoch
): Promise<void> => {
	for (const text of writeFeedMessages(as, Date.now(), entries)) {
		await shared.client.publish(feedChannel(shared.prefix), text);
	}
};

const truth = async (room: string) => {
	const rows = await sql<{ seq: number }[]>`
		select l.seq from change_log l join rooms r on r.id = l.room_id
		where r.name = ${room} order by l.seq`;
	return rows.map((row) => row.seq);
};

describe('with Redis', () => {
	test('[F1] entries arrive in order, each once, and only of followed rooms', async () => {
		await using follower = await watch(slowBeat());
		const publisher = createPublisher({
			redis: shared.client,
			epoch,
			log: quiet,
			prefix: shared.prefix
		});
		expect(await follower.follow('f1:us')).toBe(0);
		await listening();
		for (let n = 0; n < 20; n += 1) {
			publisher.publish(await append(sql, 'f1:us'));
			publisher.publish(await append(sql, 'f1-other:us'));
		}
		await until(() => follower.head('f1:us') === 20);
		expect(follower.seen.entries.map((entry) => entry.seq)).toEqual(await truth('f1:us'));
		expect(follower.seen.faults).toEqual([]);
		expect(follower.head('f1-other:us')).toBeNull();
		expect(follower.lagMs()).toBeLessThan(60_000);
		await publisher.close();
		expect(publisher.counts()).toEqual({ sent: 40, failed: 0 });
	});

	test('[F1] messages doubled, shuffled, of garbage or of nobody change nothing', async () => {
		const random = seededRandom();
		await using follower = await watch(slowBeat());
		await follower.follow('f1-chaos:us');
		await listening();
		const entries = [];
		for (let n = 0; n < 60; n += 1) entries.push(...(await append(sql, 'f1-chaos:us')));
		const mess = random.shuffle([...entries, ...entries, ...entries.slice(20)]);
		const channel = feedChannel(shared.prefix);
		for (const entry of mess) {
			await send([entry]);
			if (random.chance(0.2)) await shared.client.publish(channel, '{"epoch":');
			if (random.chance(0.1)) await send([{ ...entry, room: 'nobody:us' }]);
		}
		await until(() => follower.head('f1-chaos:us') === 60);
		expect(follower.seen.entries).toEqual(entries);
		expect(follower.seen.faults).toEqual([]);
	});

	test('[F2] a hole is refilled from the log', async () => {
		await using follower = await watch(slowBeat());
		await follower.follow('f2:us');
		await listening();
		const entries = [];
		for (let n = 0; n < 250; n += 1) entries.push(...(await append(sql, 'f2:us')));
		await send(entries.slice(-1));
		await until(() => follower.head('f2:us') === 250);
		expect(follower.seen.entries).toEqual(entries);
	});

	test('[F2] a number that the log does not have leads nowhere', async () => {
		await using follower = await watch(slowBeat());
		const entries = await append(sql, 'f2-far:us');
		await follower.follow('f2-far:us');
		await listening();
		await send([{ room: 'f2-far:us', seq: 1_000_000, changes: [] }]);
		entries.push(...(await append(sql, 'f2-far:us')));
		await send(entries);
		await until(() => follower.head('f2-far:us') === 2);
		expect(follower.seen).toMatchObject({ resets: [], faults: [] });
	});

	test('[F3] what is committed while the head is read is neither lost nor told twice', async () => {
		await using follower = await watch(slowBeat());
		await listening();
		const id = await idOf(sql, 'f3:us');
		const [first, second] = [newChange(), newChange()];
		let following: Promise<number> | undefined;
		await sql.begin(async (tx) => {
			// The head cannot be read before this transaction ends.
			await tx`lock table rooms in access exclusive mode`;
			following = follower.follow('f3:us');
			await appendChanges(tx, new Map([[id, [first]]]));
			await send([
				{ room: 'f3:us', seq: 1, changes: [first] },
				{ room: 'f3:us', seq: 2, changes: [second] }
			]);
			// Heard once this answer is back: Redis keeps the order of one connection's messages.
			await until(async () => {
				const rows = await sql`select 1 from pg_locks where not granted`;
				return rows.length > 0;
			});
		});
		expect(await following).toBe(2);
		await sql.begin((tx) => appendChanges(tx, new Map([[id, [second]]])));
		await send([{ room: 'f3:us', seq: 2, changes: [second] }]);
		await append(sql, 'f3:us');
		await send([{ room: 'f3:us', seq: 3, changes: [newChange()] }]);
		await until(() => follower.head('f3:us') === 3);
		expect(follower.seen.entries.map((entry) => entry.seq)).toEqual([2, 3]);
		expect(follower.seen.faults).toEqual([]);
	});

	test('[F4] a subscriber that is cut off again and again loses nothing', async () => {
		await using follower = await watch({ sql, redis: subscriber, prefix: shared.prefix });
		const publisher = createPublisher({
			redis: shared.client,
			epoch,
			log: quiet,
			prefix: shared.prefix
		});
		const rooms = ['f4-a:us', 'f4-b:us', 'f4-c:us'];
		for (const room of rooms) await follower.follow(room);
		await listening();
		const kill = async () => {
			const list = String(await shared.client.client('LIST'));
			const line = list.split('\n').find((one) => one.includes(`name=sub-${shared.prefix}`));
			const id = /^id=(\d+)/.exec(line ?? '')?.[1];
			if (id !== undefined) await shared.client.client('KILL', 'ID', Number(id));
			return id !== undefined;
		};
		for (let n = 0; n < 120; n += 1) {
			for (const room of rooms) publisher.publish(await append(sql, room));
			if (n % 12 === 5) await until(kill);
		}
		await until(() => rooms.every((room) => follower.head(room) === 120));
		expect(follower.seen.entries).toHaveLength(360);
		expect(follower.seen).toMatchObject({ faults: [], resets: [] });
		await publisher.close();
	});
});

describe('without Redis', () => {
	test('[F1] what this process committed itself is heard at once', async () => {
		await using follower = await watch({ ...slowBeat(), redis: null });
		await follower.follow('f1-own:us');
		const entries = [];
		for (let n = 0; n < 4; n += 1) entries.push(...(await append(sql, 'f1-own:us')));
		follower.hint(entries.slice(0, 2));
		expect(follower.head('f1-own:us')).toBe(2);
		follower.hint(entries);
		follower.hint(entries.toReversed());
		expect(follower.head('f1-own:us')).toBe(4);
		expect(follower.seen.entries).toEqual(entries);
	});

	test.each(['none', 'dead'])('[F4] the feed lives on Postgres alone (%s)', async (kind) => {
		const dead = createRedis('redis://127.0.0.1:1', { role: 'subscriber' });
		const publisher = createRedis('redis://127.0.0.1:1', { role: 'publisher' });
		const hints = createPublisher({ redis: publisher, epoch, log: quiet, prefix: shared.prefix });
		const room = `f4-${kind}:us`;
		await using follower = await watch({ sql, redis: kind === 'dead' ? dead : null });
		await follower.follow(room);
		for (let n = 0; n < 150; n += 1) hints.publish(await append(sql, room));
		await until(() => follower.head(room) === 150);
		expect(follower.seen.entries.map((entry) => entry.seq)).toEqual(await truth(room));
		expect(follower.seen.faults).toEqual([]);
		await hints.close();
		expect(hints.counts()).toEqual({ sent: 0, failed: 150 });
		dead.disconnect();
		publisher.disconnect();
	});

	test('[F4] rooms that begin and end to be followed meanwhile do not disturb others', async () => {
		await using follower = await watch({ sql });
		const rooms = Array.from({ length: 12 }, (_, n) => `f4-many-${n}:us`);
		await Promise.all(rooms.flatMap((room) => [follower.follow(room), follower.follow(room)]));
		for (let n = 0; n < 5; n += 1) for (const room of rooms) await append(sql, room);
		follower.unfollow('f4-many-0:us');
		await until(() => rooms.slice(1).every((room) => follower.head(room) === 5));
		expect(follower.head('f4-many-0:us')).toBeNull();
		expect(follower.entriesSince('f4-many-0:us', 0)).toBeNull();
		expect(await follower.follow('f4-many-0:us')).toBe(5);
		expect(follower.seen.faults).toEqual([]);
	});

	test('[F2] when the log no longer reaches back, the room is begun anew', async () => {
		await using follower = await watch({ sql });
		await append(sql, 'f2-purged:us');
		await follower.follow('f2-purged:us');
		const id = await idOf(sql, 'f2-purged:us');
		await sql.begin(async (tx) => {
			await tx`update rooms set seq = 40 where id = ${id}`;
			await tx`insert into change_log (room_id, seq, changes) values (${id}, 40, '[]')`;
		});
		await until(() => follower.seen.resets.includes('f2-purged:us'));
		expect(follower.head('f2-purged:us')).toBe(40);
		await append(sql, 'f2-purged:us');
		await until(() => follower.head('f2-purged:us') === 41);
		expect(follower.seen.entries.map((entry) => entry.seq)).toEqual([41]);
	});
});

describe('another log', () => {
	test('[F6] a new epoch begins every room anew', async () => {
		await using own = await createTestDatabase();
		await using follower = await watch({ sql: own.sql });
		const before = follower.epoch();
		await append(own.sql, 'a:us');
		await follower.follow('a:us');
		await follower.follow('b:us');
		await own.sql`update epochs set epoch = 'another'`;
		await until(() => follower.seen.resets.length === 2);
		expect(follower.epoch()).toBe('another');
		expect(before).not.toBe('another');
		await append(own.sql, 'a:us');
		await until(() => follower.head('a:us') === 2);
		expect(follower.seen.entries.map((entry) => entry.seq)).toEqual([2]);
	});

	test('[F6] a database that is not the one it was gets a new epoch while the hub runs', async () => {
		await using own = await createTestDatabase();
		await using follower = await watch({ sql: own.sql });
		const before = follower.epoch();
		await follower.follow('a:us');
		await own.sql`update epochs set database_identity = 'before the restore'`;
		await until(() => follower.epoch() !== before);
		expect(await ensureEpoch(own.sql)).toBe(follower.epoch());
		expect(follower.seen.resets).toEqual(['a:us']);
	});

	test('[F6] a log that went backwards gets a new epoch', async () => {
		await using own = await createTestDatabase();
		await using follower = await watch({ sql: own.sql });
		const before = follower.epoch();
		for (let n = 0; n < 5; n += 1) await append(own.sql, 'a:us');
		await follower.follow('a:us');
		await own.sql.begin(async (tx) => {
			await tx`delete from change_log where seq > 3`;
			await tx`update rooms set seq = 3`;
		});
		await until(() => follower.epoch() !== before);
		await until(() => follower.head('a:us') === 3);
		await append(own.sql, 'a:us');
		await until(() => follower.head('a:us') === 4);
		expect(follower.seen).toMatchObject({ resets: ['a:us'], faults: [] });
	});

	test('[F6] a message of another epoch is not believed', async () => {
		await using follower = await watch(slowBeat());
		await follower.follow('f6:us');
		await listening();
		const [entry] = await append(sql, 'f6:us');
		const foreign = { room: 'f6:us', seq: 1, changes: [[1 as never, 1]] } as const;
		// The stranger's message makes the follower ask Postgres, which has one entry.
		await until(async () => {
			await send([foreign], 'elsewhere');
			return follower.head('f6:us') === 1;
		});
		expect(follower.seen.entries).toEqual([entry]);
		expect(follower.epoch()).toBe(epoch);
		expect(follower.seen.resets).toEqual([]);
	});
});

describe('a feed that cannot see', () => {
	test('[F7] says so, and goes on when Postgres is back', async () => {
		await using own = await createTestDatabase();
		const pool = createPostgres(own.url, { max: 2, applicationName: 'seeing' });
		await using follower = await watch({ sql: pool });
		await follower.follow('a:us');
		await until(() => follower.isCurrent());
		await until(async () => {
			await own.sql`select pg_terminate_backend(pid) from pg_stat_activity
				where application_name = 'seeing'`;
			return !follower.isCurrent();
		});
		await append(own.sql, 'a:us');
		await until(() => follower.isCurrent() && follower.head('a:us') === 1);
		await expect(follower.follow('b:us')).resolves.toBe(0);
		await pool.end({ timeout: 5 });
	});

	test('[F7] cannot begin to follow a room', async () => {
		await using own = await createTestDatabase();
		const pool = createPostgres(own.url, { max: 1, applicationName: 'gone' });
		await using follower = await watch({ sql: pool });
		await pool.end({ timeout: 5 });
		await expect(follower.follow('a:us')).rejects.toThrow('CONNECTION_ENDED');
		expect(follower.head('a:us')).toBeNull();
	});

	test('[F7] a listener that throws does not stop the feed', async () => {
		await using follower = await watch({
			sql,
			onEntries: () => {
				throw new Error('a listener of the hub');
			}
		});
		await follower.follow('f7:us');
		await append(sql, 'f7:us');
		await until(() => follower.head('f7:us') === 1);
		await append(sql, 'f7:us');
		await until(() => follower.head('f7:us') === 2);
	});
});
