import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { RoomEntry } from '#domain/protocol.ts';
import { feedChannel, parseFeedMessage } from '#server/feed/message.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createLog } from '#server/platform/log.ts';
import { createRedis } from '#server/platform/redis.ts';
import { must } from '#domain/result.ts';
import { mustClose } from '../support/leaks.ts';
import { createTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const log = createLog({ name: 'test', level: 'silent' });
const entry = (seq: number): RoomEntry => ({
	room: 'dermatology:us-mt',
	seq,
	changes: [[1 as never, 3]]
});

const openFeed = async () => {
	const shared = await createTestRedis();
	const following = new Redis(shared.url);
	const publishing = createRedis(shared.url, { role: 'publisher' });
	const heard: string[] = [];
	following.on('message', (_channel, text) => heard.push(text));
	await following.subscribe(feedChannel(shared.prefix));
	await until(() => publishing.status === 'ready');
	const publisher = createPublisher({ redis: publishing, epoch: 'e', log, prefix: shared.prefix });
	const seqs = (): number[] =>
		heard.flatMap((text) => must(parseFeedMessage(text)).entries.map(({ seq }) => seq));
	return mustClose('feed', {
		publisher,
		heard,
		seqs,
		close: async () => {
			await publisher.close();
			publishing.disconnect();
			following.disconnect();
			await shared.close();
		}
	});
};

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

test('[F12] a storm of commits leaves in few messages, in order, each once', async () => {
	await using feed = await openFeed();
	for (const seq of upTo(100)) feed.publisher.publish([entry(seq)]);
	await until(() => feed.seqs().length >= 100);
	expect(feed.seqs()).toEqual(upTo(100));
	expect(feed.heard).toHaveLength(2);
	const [first, second] = feed.heard.map((text) => must(parseFeedMessage(text)));
	expect(first).toMatchObject({ entries: [{ seq: 1 }], waited: 0 });
	// L9: told as an interval, so that no hub compares clocks.
	expect(second?.waited).toBeGreaterThan(0);
});

test('[F12] very many entries do not wait, and closing sends what does', async () => {
	await using feed = await openFeed();
	feed.publisher.publish([entry(1)]);
	feed.publisher.publish(upTo(1_200).map((n) => entry(n + 1)));
	feed.publisher.publish([entry(1_202)]);
	await feed.publisher.close();
	expect(feed.publisher.counts()).toEqual({ sent: 1_202, failed: 0 });
	await until(() => feed.seqs().length === 1_202);
	expect(feed.seqs()).toEqual(upTo(1_202));
});
