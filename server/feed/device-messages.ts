// Messages to one device (its booking moved on, its hold ended, its alert rose): hints over Redis
// that carry ids and public facts only. Whoever misses one reads the same facts from the hub.
import type { Redis } from 'ioredis';
import type { DeviceKey } from '#domain/ids.ts';
import type { PatientServerEvents } from '#domain/protocol.ts';
import type { Log } from '../platform/log.ts';

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

export const createDevicePublisher = (_parts: DeviceParts): DevicePublisher => {
	throw new Error('being written');
};

/** `redis`: a connection with role `subscriber`; it may be the one the follower uses. */
export const createDeviceFollower = (
	_parts: DeviceParts,
	_onMessage: (message: DeviceMessage) => void
): DeviceFollower => {
	throw new Error('being written');
};
