// How much one connection and one address may ask of the hub.

/** V12: messages a socket may send in a minute; as many at once after a quiet minute. */
export const MESSAGES_PER_MINUTE = 100;
/** Messages beyond the quota that are answered `too_many_requests` before the connection ends. */
export const REFUSED_BEFORE_CUT = 100;
/** Packets of any kind a connection may send in a minute, those that reach no handler included. */
export const PACKETS_PER_MINUTE = 400;

export type TokenBucket = {
	/** False = nothing left. `nowMs` of a clock that only goes forward. */
	take(nowMs: number): boolean;
};

export const createTokenBucket = (perMinute: number, startMs: number): TokenBucket => {
	let tokens = perMinute;
	let filledAt = startMs;
	return {
		take: (nowMs) => {
			const earned = ((nowMs - filledAt) / 60_000) * perMinute;
			tokens = Math.min(perMinute, tokens + Math.max(0, earned));
			filledAt = nowMs;
			if (tokens < 1) return false;
			tokens -= 1;
			return true;
		}
	};
};

export type Verdict = 'allowed' | 'refused' | 'cut';

export type MessageQuota = { take(nowMs: number): Verdict };

/** Asked for every inbound event, known or not. A minute of good conduct forgives refusals. */
export const createMessageQuota = (startMs: number): MessageQuota => {
	const bucket = createTokenBucket(MESSAGES_PER_MINUTE, startMs);
	let refused = 0;
	let refusedAt = startMs;
	return {
		take: (nowMs) => {
			if (bucket.take(nowMs)) return 'allowed';
			if (nowMs - refusedAt > 60_000) refused = 0;
			refused += 1;
			refusedAt = nowMs;
			return refused > REFUSED_BEFORE_CUT ? 'cut' : 'refused';
		}
	};
};

export type AddressCounts = {
	isFull(address: string): boolean;
	enter(address: string): void;
	leave(address: string): void;
	size(): number;
};

/** V13: connections open per address. An address with none takes no memory. */
export const createAddressCounts = (maxPerAddress: number): AddressCounts => {
	const counts = new Map<string, number>();
	return {
		isFull: (address) => (counts.get(address) ?? 0) >= maxPerAddress,
		enter: (address) => counts.set(address, (counts.get(address) ?? 0) + 1),
		leave: (address) => {
			const left = (counts.get(address) ?? 0) - 1;
			if (left > 0) counts.set(address, left);
			else counts.delete(address);
		},
		size: () => counts.size
	};
};
