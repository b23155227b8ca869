// The queues: ids only, one job however often it is added, and no harm from a Redis that is away.
import { expect, onTestFinished, test } from 'vitest';
import { BookingId, MailId, ScheduleId, SourceId } from '#domain/ids.ts';
import {
	AlertsJob,
	MAX_SCHEDULES_PER_JOB,
	PollJob,
	createQueues,
	queueNames,
	queuePrefix,
	type Queues
} from '#workers/queues.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { createTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { createMortalRedis } from './mortal-redis.ts';

const source = SourceId.parse(12);
const booking = BookingId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a10');

const mail = MailId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a11');

const openQueues = async (url: string, prefix: string): Promise<Queues> => {
	const queues = createQueues(url, prefix);
	onTestFinished(() => queues.close());
	await until(() => queues.isUp());
	return queues;
};

test('[W5] arming the poll that follows a generation is one job, however often', async () => {
	await using redis = await createTestRedis();
	const queues = await openQueues(redis.url, 'one');
	const added = [
		await queues.addPoll(source, 60_000, 7),
		await queues.addPoll(source, 0, 7),
		await queues.addPoll(source, 60_000, 8),
		await queues.addPoll(source, 60_000, 7, 3)
	];
	expect(added).toEqual([true, true, true, true]);
	const jobs = await queues.polls().getJobs(['delayed', 'waiting']);
	const names = new Set(jobs.map(({ id }) => id));
	expect(names).toEqual(new Set(['poll-12-7', 'poll-12-7-r3', 'poll-12-8']));
	expect(jobs).toHaveLength(3);
	expect(jobs.every(({ data }) => PollJob.safeParse(data).success)).toBe(true);
});

test('[W15] the same attempt of a booking is one job', async () => {
	await using redis = await createTestRedis();
	const queues = await openQueues(redis.url, 'two');
	await queues.addBooking(booking);
	await queues.addBooking(booking);
	await queues.addBooking(booking, 1, 1_000);
	await queues.addBooking(booking, 1, 1_000);
	expect(await queues.status()).toEqual([
		{ name: 'polls', waiting: 0, active: 0, delayed: 0, failed: 0 },
		{ name: 'bookings', waiting: 1, active: 0, delayed: 1, failed: 0 },
		{ name: 'alerts', waiting: 0, active: 0, delayed: 0, failed: 0 },
		{ name: 'mails', waiting: 0, active: 0, delayed: 0, failed: 0 }
	]);
});

test('[W16] job data hold ids and nothing else', async () => {
	await using redis = await createTestRedis();
	const queues = await openQueues(redis.url, 'ids');
	await queues.addPoll(source, 0, 1);
	await queues.addBooking(booking);
	await queues.addAlerts([ScheduleId.parse(3), ScheduleId.parse(4)]);
	await queues.addMail(mail);
	const prefix = queuePrefix('ids');
	const data = await Promise.all(
		queueNames.map(async (name) => {
			const [id] = await redis.client.lrange(`${prefix}:${name}:wait`, 0, -1);
			return await redis.client.hget(`${prefix}:${name}:${id}`, 'data');
		})
	);
	expect(data).toEqual([
		'{"sourceId":12}',
		`{"bookingId":"${booking}"}`,
		'{"scheduleIds":[3,4]}',
		`{"mailId":"${mail}"}`
	]);
});

test('[W16] more schedules than one job may name are split', async () => {
	await using redis = await createTestRedis();
	const queues = await openQueues(redis.url, 'many');
	const ids = Array.from({ length: MAX_SCHEDULES_PER_JOB + 1 }, (_, i) => ScheduleId.parse(i + 1));
	expect(await queues.addAlerts([...ids, ...ids])).toBe(true);
	const jobs = await queues.alerts().getJobs(['waiting']);
	const lengths = jobs.map(({ data }) => AlertsJob.parse(data).scheduleIds.length);
	expect(new Set(lengths)).toEqual(new Set([1, MAX_SCHEDULES_PER_JOB]));
	expect(lengths).toHaveLength(2);
});

test('[W17] while Redis is down adds are refused at once', async () => {
	const first = await createEmbeddedRedis({ durable: false });
	const queues = await openQueues(first.url, 'down');
	expect(await queues.addPoll(source, 0, 1)).toBe(true);
	await first.close();
	await until(() => !queues.isUp());
	expect(await queues.addPoll(source, 0, 2)).toBe(false);
	expect(await queues.addBooking(booking)).toBe(false);
	expect(await queues.addAlerts([ScheduleId.parse(1)])).toBe(false);
	expect(await queues.status()).toBeNull();
});

test('[W17] nothing throws when there never was a Redis', async () => {
	const queues = createQueues('redis://127.0.0.1:1/0', 'never');
	expect(await queues.addPoll(source, 0, 2)).toBe(false);
	expect(await queues.status()).toBeNull();
	await queues.close();
});

test('[W17] Redis is lost in the very moment it was found: adds work when it is back', async () => {
	await using redis = await createMortalRedis();
	let isFirst = true;
	const queues = createQueues(redis.url, 'moment', {
		onReady: () => {
			if (isFirst) void redis.kill();
			isFirst = false;
		}
	});
	await until(() => !isFirst && !queues.isUp());
	await redis.revive();
	await until(() => queues.isUp(), { timeoutMs: 20_000 });
	await until(() => queues.addPoll(source, 0, 1));
	await queues.close();
});

test('[W17] the listener hears of faults and of every return', async () => {
	await using redis = await createMortalRedis();
	const heard = { ready: 0, faults: 0 };
	const queues = createQueues(redis.url, 'heard', {
		onReady: () => void (heard.ready += 1),
		onFault: () => void (heard.faults += 1)
	});
	await until(() => heard.ready === 1);
	await redis.kill();
	await until(() => !queues.isUp());
	await redis.revive();
	await until(() => heard.ready === 2);
	await until(() => queues.addPoll(source, 0, 3));
	await queues.close();
});
