// The job raise-alerts: looks at the supply of touched schedules and tells those who asked.
import type { ScheduleId } from '#domain/ids.ts';
import type { DeviceMessage } from '#server/feed/device-messages.ts';
import { logFault, type Log } from '#server/platform/log.ts';
import type { RaisedNotice } from '#server/store/alerts.ts';
import { MAX_SCHEDULES_PER_JOB, chunk, type Queues } from '../queues.ts';

export type AlertDeps = {
	/** The use case (server/scheduling/raise-alerts.ts): episodes and notices, each told once. */
	readonly raise: (scheduleIds: readonly ScheduleId[]) => Promise<readonly RaisedNotice[]>;
	readonly tell: (message: DeviceMessage) => void;
	readonly log: Log;
};

/** Returns how many notices were raised. Doing it twice tells nobody twice. */
export const createRaiseAlerts =
	({ raise, tell, log }: AlertDeps) =>
	async (scheduleIds: readonly ScheduleId[]): Promise<number> => {
		const raised: RaisedNotice[] = [];
		for (const ids of chunk(scheduleIds, MAX_SCHEDULES_PER_JOB)) raised.push(...(await raise(ids)));
		for (const { device, notice } of raised) {
			tell({ device, event: 'alert:raised', payload: notice });
		}
		if (raised.length > 0) {
			log.info('alerts_raised', { notices: raised.length, schedules: scheduleIds.length });
		}
		return raised.length;
	};

/**
 * W24: queues the look at touched schedules. While Redis takes no jobs it is done right here,
 * because nobody else would know of them. Never throws; true = queued.
 */
export const alertsOrNow =
	(
		addAlerts: Queues['addAlerts'],
		alert: (scheduleIds: readonly ScheduleId[]) => Promise<unknown>,
		log: Log
	) =>
	async (scheduleIds: readonly ScheduleId[]): Promise<boolean> => {
		if (await addAlerts(scheduleIds)) return true;
		try {
			await alert(scheduleIds);
		} catch (error) {
			logFault(log, 'alerts_failed', error);
		}
		return false;
	};
