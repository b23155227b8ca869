// Subscribing to the slots of a FHIR server (R4 backport, rest-hook): only where its capability names a
// topic about slots. The key that its notifications must bear is asked for as a header of theirs.
import type { SourceSettings } from '#domain/source.ts';
import { SECOND_MS } from '#domain/time.ts';
import type { HttpClient } from '../http-client.ts';
import type { SubscribeOrder, SubscribeOutcome, Subscriber } from '../connector.ts';
import { headerOf } from '../http-headers.ts';
import {
	askFhir,
	fhirType,
	isSafeId,
	openSession,
	resourceOf,
	type Session
} from './fhir-session.ts';
import { codingsOf, isJson, listOf, textOf, type Json } from './fhir-shapes.ts';

const BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition';
const TOPIC = /capabilitystatement-subscriptiontopic-canonical$/;

/** The topic about slots that a CapabilityStatement offers to programs, or null. */
export const slotTopicOf = (statement: Json | null): string | null => {
	if (statement?.['resourceType'] !== 'CapabilityStatement') return null;
	const entries = listOf(statement['rest'])
		.flatMap((rest) => listOf(rest['resource']))
		.filter((each) => each['type'] === 'Subscription')
		.filter((each) => codingsOf(each['interaction']).some(({ code }) => code === 'create'));
	const topics = entries
		.flatMap((each) => listOf(each['extension']))
		.filter(({ url }) => TOPIC.test(textOf(url, 300)))
		.map((each) => textOf(each['valueCanonical'], 500));
	return topics.find((topic) => /slot/i.test(topic)) ?? null;
};

const subscriptionOf = (order: SubscribeOrder, topic: string): object => ({
	resourceType: 'Subscription',
	...(order.subscription !== null && { id: order.subscription }),
	status: 'requested',
	reason: 'Open times are shown live',
	end: new Date(order.endsAt).toISOString(),
	criteria: topic,
	channel: {
		type: 'rest-hook',
		endpoint: order.endpoint,
		header: [`Authorization: Bearer ${order.key}`],
		payload: fhirType,
		_payload: {
			extension: [{ url: `${BACKPORT}/backport-payload-content`, valueCode: 'full-resource' }]
		},
		extension: [
			{
				url: `${BACKPORT}/backport-heartbeat-period`,
				valueUnsignedInt: Math.round(order.heartbeatMs / SECOND_MS)
			}
		]
	}
});

const idFrom = (location: string | null, resource: Json | null): string => {
	const told = isJson(resource) ? textOf(resource['id'], 128) : '';
	return told !== ''
		? told
		: (/Subscription\/([A-Za-z0-9.-]{1,64})/.exec(location ?? '')?.[1] ?? '');
};

const write = async (
	session: Session,
	order: SubscribeOrder,
	topic: string
): Promise<SubscribeOutcome> => {
	const isNew = order.subscription === null;
	const heard = await askFhir(
		session,
		isNew ? 'Subscription' : `Subscription/${order.subscription}`,
		{
			method: isNew ? 'POST' : 'PUT',
			headers: { 'content-type': fhirType },
			body: JSON.stringify(subscriptionOf(order, topic))
		}
	);
	if (!heard.ok) return { state: 'failed', gone: false };
	if (heard.status !== 200 && heard.status !== 201) {
		return { state: 'failed', gone: heard.status === 404 || heard.status === 410 };
	}
	const id = idFrom(headerOf(heard.headers, 'location'), resourceOf(heard));
	const subscription = id === '' ? (order.subscription ?? '') : id;
	return isSafeId(subscription)
		? { state: 'subscribed', subscription }
		: { state: 'failed', gone: false };
};

/** Creates the subscriber. It never throws for what a server does. */
export const createFhirSubscriber = (http: HttpClient): Subscriber => ({
	subscribe: async (order) => {
		const session = openSession(http, order);
		const heard = await askFhir(session, 'metadata');
		if (!heard.ok || heard.status !== 200) return { state: 'failed', gone: false };
		const topic = slotTopicOf(resourceOf(heard));
		return topic === null ? { state: 'not_offered' } : await write(session, order, topic);
	},
	unsubscribe: async (
		order: { readonly source: SourceSettings; readonly signal: AbortSignal },
		subscription: string
	) => {
		const session = openSession(http, order);
		const heard = await askFhir(session, `Subscription/${subscription}`, { method: 'DELETE' });
		return heard.ok && (heard.status < 300 || heard.status === 404 || heard.status === 410);
	}
});
