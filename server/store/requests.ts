// Idempotency: what a device asked under a request id and what it got, kept in the transaction of
// the effect itself. One device acts one step at a time.
import type { DeviceKey, RequestId } from '#domain/ids.ts';
import type { Tx } from '../platform/postgres.ts';

export type StoredRequest = {
	readonly fingerprint: string;
	readonly reply: { readonly id: string };
};

/** Waits until no other transaction acts for this device; the same lock as in place_hold(). */
export const lockDevice = async (tx: Tx, device: DeviceKey): Promise<void> => {
	await tx`select pg_advisory_xact_lock(hashtextextended(${device}, 1))`;
};

export const findRequest = async (
	tx: Tx,
	device: DeviceKey,
	requestId: RequestId
): Promise<StoredRequest | null> => {
	const [row] = await tx<StoredRequest[]>`
		select fingerprint, reply from requests
		where device_key = ${device} and request_id = ${requestId}`;
	return row ?? null;
};

/** `reply` names the thing that was made; the answer is read from it again. */
export const keepRequest = async (
	tx: Tx,
	device: DeviceKey,
	requestId: RequestId,
	kept: StoredRequest
): Promise<void> => {
	await tx`
		insert into requests (device_key, request_id, fingerprint, reply)
		values (${device}, ${requestId}, ${kept.fingerprint}, ${tx.json(kept.reply)})`;
};
