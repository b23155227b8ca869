// A channel of Redis, subscribed again each time the connection is back.
import type { Redis } from 'ioredis';

export type Subscription = { readonly close: () => Promise<void> };

export type SubscriptionParts = {
	/** A connection with role `subscriber`; several subscriptions may share it. */
	readonly redis: Redis;
	readonly channel: string;
	readonly onMessage: (text: string) => void;
	/** The channel is heard (again): messages before this moment were lost. */
	readonly onListening?: () => void;
};

export const createSubscription = (parts: SubscriptionParts): Subscription => {
	const { redis, channel } = parts;
	let isClosed = false;
	const hear = (from: string, text: string): void => {
		if (from === channel && !isClosed) parts.onMessage(text);
	};
	const trySubscribe = async (): Promise<void> => {
		try {
			await redis.subscribe(channel);
			if (!isClosed) parts.onListening?.();
		} catch {
			// The connection broke again: the next `ready` comes here anew.
		}
	};
	const subscribe = (): void => void trySubscribe();
	redis.on('message', hear);
	redis.on('ready', subscribe);
	if (redis.status === 'ready') subscribe();
	return {
		close: async () => {
			isClosed = true;
			redis.off('message', hear);
			redis.off('ready', subscribe);
			if (redis.status === 'ready') await redis.unsubscribe(channel).catch(() => {});
		}
	};
};
