import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import {
	createDeviceFollower,
	createDevicePublisher,
	type DeviceMessage
} from '#server/feed/device-messages.ts';
import { deviceChannel } from '#server/feed/message.ts';
import { createPublisher } from '#server/feed/publish.ts';
import { createRedis } from '#server/platform/redis.ts';
import { mustClose } from '../support/leaks.ts';
import { createTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { quiet } from './feed-world.ts';

let shared: TestRedis;
let publisher: Redis;
let subscriber: Redis;

beforeAll(async () => {
	shared = await createTestRedis();
	publisher = createRedis(shared.url, { role: 'publisher' });
	subscriber = createRedis(shared.url, { role: 'subscriber' });
	await until(() => publisher.status === 'ready' && subscriber.status === 'ready');
});
afterAll(async () => {
	publisher.disconnect();
	subscriber.disconnect();
	await shared.close();
});

const device = 'd'.repeat(64) as DeviceMessage['device'];
const id = '6f1b6f3e-0c0c-4b7e-9d51-0f0a6f4b7a11' as never;
const told: readonly DeviceMessage[] = [
	{ device, event: 'booking:changed', payload: { bookingId: id, state: 'booked' } },
	{ device, event: 'hold:ended', payload: { holdId: id, because: 'expired' } },
	{ device, event: 'waiting:offered', payload: { waitingId: id, holdId: id } },
	{
		device,
		event: 'alert:raised',
		payload: {
			subscriptionId: id,
			episodeId: 3 as never,
			kind: 'opened',
			scheduleId: 4 as never,
			practitionerName: 'Dr. Ada Moss',
			specialty: 'dermatology',
			region: 'US-MT',
			left: 3,
			of: 20,
			perHour: 2,
			soonestAt: null,
			raisedAt: 1_790_000_000_000 as never
		}
	}
];

test('[F8] messages to a device arrive whole; garbage and faulty listeners stop nothing', async () => {
	const heard: DeviceMessage[] = [];
	const parts = { log: quiet, prefix: shared.prefix };
	await using _follower = mustClose(
		'device follower',
		createDeviceFollower({ redis: subscriber, ...parts }, (message) => {
			heard.push(message);
			throw new Error('a listener of the hub');
		})
	);
	await using sender = mustClose('sender', createDevicePublisher({ redis: publisher, ...parts }));
	const channel = deviceChannel(shared.prefix);
	await until(async () => {
		const [, count] = (await shared.client.pubsub('NUMSUB', channel)) as [string, number];
		return Number(count) === 1;
	});
	for (const message of told) {
		sender.publish(message);
		await shared.client.publish(channel, '{"device":"x"}');
	}
	await until(() => heard.length === told.length);
	expect(heard).toEqual(told);
});

test('[F10] a publisher without Redis fails at once, counts it, and never throws', async () => {
	const dead = createRedis('redis://127.0.0.1:1', { role: 'publisher' });
	const lines: string[] = [];
	const log = { ...quiet, warn: (event: string) => void lines.push(event) };
	const sender = createPublisher({ redis: dead, epoch: 'e', log, prefix: shared.prefix });
	for (let n = 1; n <= 50; n += 1) {
		sender.publish([{ room: 'a:us', seq: n, changes: [[1 as never, 3]] }]);
	}
	await sender.close();
	expect(sender.counts()).toEqual({ sent: 0, failed: 50 });
	expect(lines).toEqual(['publish_failing']);
	dead.disconnect();
});

test('[F10] it works again when Redis is back', async () => {
	const own = createRedis(shared.url, { role: 'publisher', name: `pub-${shared.prefix}` });
	await until(() => own.status === 'ready');
	const sender = createPublisher({ redis: own, epoch: 'e', log: quiet, prefix: shared.prefix });
	const publish = () => sender.publish([{ room: 'a:us', seq: 1, changes: [] }]);
	const list = String(await shared.client.client('LIST'));
	const line = list.split('\n').find((one) => one.includes(`name=pub-${shared.prefix}`));
	await shared.client.client('KILL', 'ID', Number(/^id=(\d+)/.exec(line ?? '')?.[1]));
	await until(() => own.status !== 'ready');
	publish();
	await until(() => own.status === 'ready');
	publish();
	await until(() => sender.counts().sent >= 1);
	expect(sender.counts().failed).toBeLessThanOrEqual(1);
	await sender.close();
	own.disconnect();
});
