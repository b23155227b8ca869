// Topic-based subscriptions of a simulated FHIR server (R4 backport, rest-hook): handshake, heartbeat,
// and one notification with the whole slot per change. Faults lose, double, swap or delay them.
import { randomUUID } from 'node:crypto';
import type { Clinic } from '../clinic.ts';
import type { Ask, Reply } from '../exchange.ts';
import type { FaultRequest, Faults } from '../faults.ts';
import type { SlotChange } from '../slot-book.ts';
import type { SlotTexts } from '../slot-record.ts';
import { isRecord } from './appointment-record.ts';
import { fhirJson, outcome } from './outcome.ts';

export const SLOT_TOPIC = 'https://clinic.example/SubscriptionTopic/slot-availability';
const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition';
export const TOPIC_EXTENSION = `${BACKPORT}/capabilitystatement-subscriptiontopic-canonical`;

type Subscription = {
	readonly id: string;
	readonly resource: Record<string, unknown>;
	readonly endpoint: string;
	readonly headers: Record<string, string>;
	readonly heartbeatMs: number;
	status: 'requested' | 'active' | 'error' | 'off';
	events: number;
	timer: NodeJS.Timeout | undefined;
	/** Messages leave one after another. */
	tail: Promise<void>;
	/** One that was overtaken on purpose. */
	held: string | null;
};

const MOST_SUBSCRIPTIONS = 20;
const POST_TIMEOUT_MS = 5_000;
const LATE_MS = 2_000;

const recordsOf = (value: unknown): Record<string, unknown>[] =>
	Array.isArray(value) ? value.filter(isRecord) : [];

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const headersOf = (channel: Record<string, unknown>): Record<string, string> => {
	const lines = Array.isArray(channel['header']) ? channel['header'] : [];
	return Object.fromEntries(
		lines.flatMap((line) => {
			const [, name, value] = /^([A-Za-z-]+):\s*(.+)$/.exec(textOf(line)) ?? [];
			return name === undefined || value === undefined ? [] : [[name, value]];
		})
	);
};

const heartbeatOf = (channel: Record<string, unknown>): number => {
	const found = recordsOf(channel['extension']).find(({ url }) =>
		textOf(url).endsWith('/backport-heartbeat-period')
	);
	const seconds = found?.['valueUnsignedInt'];
	return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : 0;
};

const readWish = (body: unknown, id: string): Subscription | null => {
	if (!isRecord(body) || body['resourceType'] !== 'Subscription') return null;
	const { channel } = body;
	if (body['criteria'] !== SLOT_TOPIC || !isRecord(channel)) return null;
	const endpoint = textOf(channel['endpoint']);
	if (channel['type'] !== 'rest-hook' || !URL.canParse(endpoint)) return null;
	return {
		id,
		resource: body,
		endpoint,
		headers: headersOf(channel),
		heartbeatMs: heartbeatOf(channel),
		status: 'requested',
		events: 0,
		timer: undefined,
		tail: Promise.resolve(),
		held: null
	};
};

type Type = 'handshake' | 'heartbeat' | 'event-notification';

const statusOf = (to: Subscription, type: Type, number: number | null): object => ({
	resourceType: 'Parameters',
	parameter: [
		{ name: 'subscription', valueReference: { reference: `Subscription/${to.id}` } },
		{ name: 'topic', valueCanonical: SLOT_TOPIC },
		{ name: 'status', valueCode: to.status },
		{ name: 'type', valueCode: type },
		{ name: 'events-since-subscription-start', valueString: String(to.events) },
		...(number === null
			? []
			: [
					{
						name: 'notification-event',
						part: [{ name: 'event-number', valueString: String(number) }]
					}
				])
	]
});

const bundleOf = (
	to: Subscription,
	type: Type,
	event: { readonly number: number; readonly slot: unknown } | null = null
): string =>
	JSON.stringify({
		resourceType: 'Bundle',
		type: 'history',
		entry: [
			{ resource: statusOf(to, type, event?.number ?? null) },
			...(event?.slot === undefined ? [] : [{ resource: event.slot }])
		]
	});

const post = async (to: Subscription, body: string): Promise<boolean> => {
	try {
		const response = await fetch(to.endpoint, {
			method: 'POST',
			headers: { ...to.headers, 'content-type': 'application/fhir+json' },
			body,
			signal: AbortSignal.timeout(POST_TIMEOUT_MS)
		});
		await response.arrayBuffer();
		return response.ok;
	} catch {
		return false;
	}
};

export type Subscriptions = {
	/** null = not about subscriptions. */
	handle: (ask: Ask, path: readonly string[]) => Reply | null;
	close: () => void;
};

type Parts = { clinic: Clinic; faults: Faults; texts: SlotTexts };

/** Sends what a change means; the faults decide what becomes of it on its way. */
const createSender = ({ faults, texts }: Parts) => {
	const send = (to: Subscription, body: string): void => {
		to.tail = to.tail.then(() => post(to, body)).then(() => undefined);
		clearTimeout(to.timer);
		if (to.heartbeatMs === 0 || to.status !== 'active') return;
		to.timer = setTimeout(() => beat(to), to.heartbeatMs).unref();
	};
	const beat = (to: Subscription): void => {
		const isLost = faults.forRequest('heartbeat')('push_lost') !== undefined;
		send(to, isLost ? '' : bundleOf(to, 'heartbeat'));
	};
	const deliver = (to: Subscription, body: string, late: FaultRequest | undefined): void => {
		if (late === undefined) send(to, body);
		else setTimeout(() => send(to, body), late.delayMs ?? LATE_MS).unref();
	};
	const tell = (to: Subscription, { kind, slot }: SlotChange): void => {
		to.events += 1;
		const text = texts(slot, { wrongOffset: false, repeatedIds: false });
		const told: unknown = kind === 'removed' ? undefined : JSON.parse(text);
		const body = bundleOf(to, 'event-notification', { number: to.events, slot: told });
		const fault = faults.forRequest('event-notification');
		if (fault('push_lost') !== undefined) return;
		const overtaken = to.held;
		to.held = null;
		if (overtaken === null && fault('push_swapped') !== undefined) {
			to.held = body;
			return;
		}
		deliver(to, body, fault('push_late'));
		if (fault('push_twice') !== undefined) send(to, body);
		if (overtaken !== null) send(to, overtaken);
	};
	return { send, tell };
};

/** Creates the subscriptions of one clinic; they are forgotten with the process. */
export const createSubscriptions = (parts: Parts): Subscriptions => {
	const all = new Map<string, Subscription>();
	const { send, tell } = createSender(parts);
	parts.clinic.slots.listen((change) => {
		for (const to of all.values()) if (to.status === 'active') tell(to, change);
	});
	const start = async (to: Subscription): Promise<void> => {
		to.status = (await post(to, bundleOf(to, 'handshake'))) ? 'active' : 'error';
		if (to.status === 'active') send(to, bundleOf(to, 'heartbeat'));
	};
	const stop = (id: string): void => {
		clearTimeout(all.get(id)?.timer);
		all.delete(id);
	};
	const shown = ({ resource, id, status }: Subscription): object => ({ ...resource, id, status });
	const keep = (ask: Ask, id: string): Reply => {
		const parsed = parseBody(ask.body);
		const wish = readWish(parsed, id);
		if (wish === null) return outcome(422, 'business-rule', 'Not a subscription we can serve');
		const isNew = !all.has(id);
		if (isNew && all.size >= MOST_SUBSCRIPTIONS) return outcome(429, 'too-costly', 'Too many');
		wish.events = all.get(id)?.events ?? 0;
		stop(id);
		all.set(id, wish);
		void start(wish);
		return fhirJson(isNew ? 201 : 200, shown(wish), { location: `Subscription/${id}/_history/1` });
	};
	return {
		handle: (ask, [type, id, operation]) => {
			if (type !== 'Subscription') return null;
			if (ask.method === 'POST' && id === undefined) return keep(ask, randomUUID());
			const known = id === undefined ? undefined : all.get(id);
			if (known === undefined || id === undefined) return outcome(404, 'not-found', 'No such one');
			if (ask.method === 'PUT') return keep(ask, id);
			if (ask.method === 'DELETE') {
				stop(id);
				return { status: 204, headers: {}, body: '' };
			}
			if (operation !== '$status') return fhirJson(200, shown(known));
			return fhirJson(200, statusOf(known, 'heartbeat', null));
		},
		close: () => {
			for (const id of all.keys()) stop(id);
		}
	};
};

const parseBody = (body: string): unknown => {
	try {
		const value: unknown = JSON.parse(body);
		return value;
	} catch {
		return null;
	}
};
