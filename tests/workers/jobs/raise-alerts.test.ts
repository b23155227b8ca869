// Who is told of touched schedules, and by which way.
import { expect, test } from 'vitest';
import type { AlertNotice } from '#domain/alert.ts';
import { AlertSubscriptionId, DeviceKey, EpisodeId, ScheduleId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { DeviceMessage } from '#server/feed/device-messages.ts';
import { alertsOrNow, createRaiseAlerts } from '#workers/jobs/raise-alerts.ts';
import { MAX_SCHEDULES_PER_JOB } from '#workers/queues.ts';
import { createTestLog } from '../fakes.ts';

const device = DeviceKey.parse('d'.repeat(64));
const schedules = (count: number) =>
	Array.from({ length: count }, (_, i) => ScheduleId.parse(i + 1));

const notice: AlertNotice = {
	subscriptionId: AlertSubscriptionId.parse('0191d3c4-6f00-4c3e-9f6e-3f6e6c1f2a12'),
	episodeId: EpisodeId.parse(4),
	kind: 'opened',
	scheduleId: ScheduleId.parse(1),
	practitionerName: 'Ana Ruiz',
	specialty: 'dermatology',
	region: 'US-MT',
	left: 3,
	of: 20,
	perHour: 2,
	soonestAt: null,
	raisedAt: toInstant(0)
};

test('[W24] each notice goes to its device', async () => {
	const told: DeviceMessage[] = [];
	const { log, events } = createTestLog();
	const alert = createRaiseAlerts({
		raise: async () => [{ device, notice }],
		tell: (message) => void told.push(message),
		log
	});
	expect(await alert(schedules(2))).toBe(1);
	expect(told).toEqual([{ device, event: 'alert:raised', payload: notice }]);
	expect(events()).toEqual(['alerts_raised']);
});

test('[W24] more schedules than one look may hold are looked at in parts', async () => {
	const looked: number[] = [];
	const alert = createRaiseAlerts({
		raise: async (ids) => {
			looked.push(ids.length);
			return [];
		},
		tell: () => {},
		log: createTestLog().log
	});
	await alert(schedules(MAX_SCHEDULES_PER_JOB + 7));
	expect(looked).toEqual([MAX_SCHEDULES_PER_JOB, 7]);
});

test.each([
	['the queue takes them', true, 0],
	['Redis takes no jobs', false, 2]
])('[W24] %s', async (_name, takes, lookedAt) => {
	let looked = 0;
	const alert = async (ids: readonly ScheduleId[]) => (looked += ids.length);
	const add = alertsOrNow(async () => takes, alert, createTestLog().log);
	expect(await add(schedules(2))).toBe(takes);
	expect(looked).toBe(lookedAt);
});

test('[W24] a look that fails is logged and thrown at nobody', async () => {
	const { log, events } = createTestLog();
	const alert = async () => {
		throw new Error('Postgres is away');
	};
	expect(await alertsOrNow(async () => false, alert, log)(schedules(1))).toBe(false);
	expect(events()).toEqual(['alerts_failed']);
});
