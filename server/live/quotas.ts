// How much one connection and one address may ask of the hub.

/** V12: messages a socket may send in a minute; as many at once after a quiet minute. */
export const MESSAGES_PER_MINUTE = 100;
/** Messages beyond the quota that are answered `too_many_requests` before the connection ends. */
export const REFUSED_BEFORE_CUT = 100;
/** Packets of any kind a connection may send in a minute, those that reach no handler included. */
export const PACKETS_PER_MINUTE = 400;

/** Plain data and one moving number, because every connection has two of them. */
export type TokenBucket = {
	readonly perMinute: number;
	/** When it is full again, on the clock of `takeToken`, ms; a past moment = it is full. */
	fullAt: number;
};

/** `nowMs` of a clock that only goes forward. */
export const createTokenBucket = (perMinute: number, nowMs: number): TokenBucket => ({
	perMinute,
	fullAt: nowMs
});

/** False = nothing left. */
export const takeToken = (bucket: TokenBucket, nowMs: number): boolean => {
	const fullAt = Math.max(bucket.fullAt, nowMs) + 60_000 / bucket.perMinute;
	// A bucket takes a minute to fill: one that would take longer has nothing left.
	if (fullAt - nowMs > 60_000) return false;
	bucket.fullAt = fullAt;
	return true;
};

export type Verdict = 'allowed' | 'refused' | 'cut';

export type MessageQuota = {
	readonly bucket: TokenBucket;
	refused: number;
	refusedAt: number;
};

export const createMessageQuota = (nowMs: number): MessageQuota => ({
	bucket: createTokenBucket(MESSAGES_PER_MINUTE, nowMs),
	refused: 0,
	refusedAt: nowMs
});

/** Asked for every inbound event, known or not. A minute of good conduct forgives refusals. */
export const takeMessage = (quota: MessageQuota, nowMs: number): Verdict => {
	if (takeToken(quota.bucket, nowMs)) return 'allowed';
	if (nowMs - quota.refusedAt > 60_000) quota.refused = 0;
	quota.refused += 1;
	quota.refusedAt = nowMs;
	return quota.refused > REFUSED_BEFORE_CUT ? 'cut' : 'refused';
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
