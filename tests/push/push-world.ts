// Messages as sources send them: signed webhooks and notifications of a topic subscription.
import { createHmac } from 'node:crypto';
import type { SlotFact } from '#domain/slot.ts';

/** One of two keys that a source may sign with. */
export const pushKey = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
export const olderKey = 'an-older-key-of-this-source-0001';

const bytesOf = (key: string): Buffer =>
	key.startsWith('whsec_') ? Buffer.from(key.slice(6), 'base64') : Buffer.from(key);

export type Message = { readonly headers: Record<string, string>; readonly body: string };

/** By Standard Webhooks, signed at `atMs`. */
export const webhook = (
	id: string,
	atMs: number,
	body = '{"type":"slots.changed"}',
	key = pushKey
): Message => {
	const timestamp = String(Math.floor(atMs / 1_000));
	const hmac = createHmac('sha256', bytesOf(key)).update(`${id}.${timestamp}.${body}`);
	return {
		headers: {
			'content-type': 'application/json',
			'webhook-id': id,
			'webhook-timestamp': timestamp,
			'webhook-signature': `v1,${hmac.digest('base64')}`
		},
		body
	};
};

export const calComWebhook = (atMs: number, more: object = {}): Message => {
	const body = JSON.stringify({
		triggerEvent: 'BOOKING_CREATED',
		createdAt: new Date(atMs).toISOString(),
		...more
	});
	const signature = createHmac('sha256', bytesOf(pushKey)).update(body).digest('hex');
	return { headers: { 'x-cal-signature-256': signature }, body };
};

/** A fact as the FHIR Slot that the source itself has. */
export const slotResource = (fact: SlotFact, more: object = {}): object => ({
	resourceType: 'Slot',
	id: fact.sourceSlotId,
	meta: { versionId: fact.version },
	schedule: { reference: `Schedule/${fact.scheduleKey}` },
	status: fact.status,
	start: new Date(fact.startsAt).toISOString(),
	end: new Date(fact.endsAt).toISOString(),
	...more
});

export type Notice = {
	readonly type: 'handshake' | 'heartbeat' | 'event-notification';
	readonly since: number;
	readonly events?: readonly number[];
	readonly resources?: readonly object[];
	readonly status?: string;
};

/** A notification of the R4 backport. */
export const notification = (notice: Notice, key = pushKey): Message => {
	const parameter = [
		{ name: 'subscription', valueReference: { reference: 'Subscription/77' } },
		{ name: 'status', valueCode: notice.status ?? 'active' },
		{ name: 'type', valueCode: notice.type },
		{ name: 'events-since-subscription-start', valueString: String(notice.since) },
		...(notice.events ?? []).map((number) => ({
			name: 'notification-event',
			part: [{ name: 'event-number', valueString: String(number) }]
		}))
	];
	return {
		headers: { 'content-type': 'application/fhir+json', authorization: `Bearer ${key}` },
		body: JSON.stringify({
			resourceType: 'Bundle',
			type: 'history',
			entry: [
				{ resource: { resourceType: 'Parameters', parameter } },
				...(notice.resources ?? []).map((resource) => ({ resource }))
			]
		})
	};
};
