// Messages to one device (its booking moved on, its hold ended, its alert rose): hints over Redis
// that carry ids and public facts only. Whoever misses one reads the same facts from the hub.
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { episodeKinds } from '#domain/alert.ts';
import { bookingStates } from '#domain/booking.ts';
import {
	AlertSubscriptionId,
	BookingId,
	DeviceKey,
	EpisodeId,
	HoldId,
	ScheduleId,
	WaitingId
} from '#domain/ids.ts';
import type { PatientServerEvents } from '#domain/protocol.ts';
import { toInstant } from '#domain/time.ts';
import { logFault, type Log } from '../platform/log.ts';
import { DEFAULT_PREFIX, deviceChannel } from './message.ts';
import { createSender } from './publish.ts';
import { createSubscription } from './subscription.ts';

type Payload<E extends keyof PatientServerEvents> = Parameters<PatientServerEvents[E]>[0];

export type DeviceMessage =
	| {
			readonly device: DeviceKey;
			readonly event: 'booking:changed';
			readonly payload: Payload<'booking:changed'>;
	  }
	| {
			readonly device: DeviceKey;
			readonly event: 'hold:ended';
			readonly payload: Payload<'hold:ended'>;
	  }
	| {
			readonly device: DeviceKey;
			readonly event: 'alert:raised';
			readonly payload: Payload<'alert:raised'>;
	  }
	| {
			readonly device: DeviceKey;
			readonly event: 'waiting:offered';
			readonly payload: Payload<'waiting:offered'>;
	  };

export type DevicePublisher = {
	/** Returns at once; a failure is counted, never thrown. */
	readonly publish: (message: DeviceMessage) => void;
	readonly close: () => Promise<void>;
};

export type DeviceFollower = { readonly close: () => Promise<void> };

export type DeviceParts = {
	readonly redis: Redis;
	readonly log: Log;
	/** Config.redisPrefix; default `slotcast`. */
	readonly prefix?: string;
};

const MAX_CHARS = 8_192;

const message = z.discriminatedUnion('event', [
	z.object({
		device: DeviceKey,
		event: z.literal('booking:changed'),
		payload: z.object({ bookingId: BookingId, state: z.enum(bookingStates) })
	}),
	z.object({
		device: DeviceKey,
		event: z.literal('hold:ended'),
		payload: z.object({ holdId: HoldId, because: z.enum(['expired', 'released', 'taken']) })
	}),
	z.object({
		device: DeviceKey,
		event: z.literal('waiting:offered'),
		payload: z.object({ waitingId: WaitingId, holdId: HoldId })
	}),
	z.object({
		device: DeviceKey,
		event: z.literal('alert:raised'),
		payload: z.object({
			subscriptionId: AlertSubscriptionId,
			episodeId: EpisodeId,
			kind: z.enum(episodeKinds),
			scheduleId: ScheduleId,
			practitionerName: z.string().max(300),
			specialty: z.string().max(60),
			region: z.string().max(8),
			left: z.int(),
			of: z.int(),
			perHour: z.int(),
			soonestAt: z.number().transform(toInstant).nullable(),
			raisedAt: z.number().transform(toInstant)
		})
	})
]);

/** F8: null = too long, not JSON, or not a message to a device. */
export const parseDeviceMessage = (text: string): DeviceMessage | null => {
	if (text.length > MAX_CHARS) return null;
	try {
		return message.safeParse(JSON.parse(text)).data ?? null;
	} catch {
		return null;
	}
};

/** `redis`: a connection with role `publisher`. */
export const createDevicePublisher = (parts: DeviceParts): DevicePublisher => {
	const sender = createSender(parts, deviceChannel(parts.prefix ?? DEFAULT_PREFIX));
	return {
		publish: (told) => sender.send(JSON.stringify(told)),
		close: sender.close
	};
};

/** `redis`: a connection with role `subscriber`; it may be the one the follower uses. */
export const createDeviceFollower = (
	parts: DeviceParts,
	onMessage: (message: DeviceMessage) => void
): DeviceFollower =>
	createSubscription({
		redis: parts.redis,
		channel: deviceChannel(parts.prefix ?? DEFAULT_PREFIX),
		onMessage: (text) => {
			const told = parseDeviceMessage(text);
			if (told === null) {
				parts.log.debug('device_message_refused', { length: text.length });
				return;
			}
			try {
				onMessage(told);
			} catch (error) {
				logFault(parts.log, 'device_listener_failed', error);
			}
		}
	});
