// Notifications of FHIR topic subscriptions: the R4 backport (a Bundle that begins with Parameters) and
// R5 (with a SubscriptionStatus). Read into numbers and slots; everything else is left where it was.
import { z } from 'zod';
import { readPushedSlot, type PushedSlot } from './pushed-slot.ts';
import { subscriptionStatuses, type Told } from './subscription.ts';

/** Entries of one notification: as many as one body can hold of the smallest useful kind. */
const MAX_ENTRIES = 1_000;

const types = [
	'handshake',
	'heartbeat',
	'event-notification',
	'query-status',
	'query-event'
] as const;
const number = z.union([
	z.int().min(0),
	z
		.string()
		.regex(/^\d{1,15}$/)
		.transform(Number)
]);
const reference = z.object({ reference: z.string().min(1).max(500) });

const Bundle = z.object({
	resourceType: z.literal('Bundle'),
	type: z.enum(['history', 'subscription-notification', 'searchset', 'collection']),
	entry: z
		.array(z.object({ resource: z.unknown().optional() }))
		.min(1)
		.max(MAX_ENTRIES)
});

const Part = z.object({
	name: z.string().max(100),
	valueString: z.unknown(),
	valueInteger64: z.unknown()
});

const Parameters = z.object({
	resourceType: z.literal('Parameters'),
	parameter: z
		.array(
			z.object({
				name: z.string().max(100),
				valueReference: reference.optional(),
				valueCode: z.string().max(40).optional(),
				valueString: z.string().max(40).optional(),
				valueInteger64: z.union([z.string(), z.number()]).optional(),
				part: z
					.array(Part.partial({ valueString: true, valueInteger64: true }))
					.max(20)
					.optional()
			})
		)
		.max(MAX_ENTRIES)
});

const Status = z.object({
	subscription: reference,
	status: z.enum(subscriptionStatuses),
	type: z.enum(types),
	eventsSinceSubscriptionStart: number.optional(),
	notificationEvent: z
		.array(z.object({ eventNumber: number }))
		.max(MAX_ENTRIES)
		.optional()
});

/** The R4 Parameters in the shape of R5's SubscriptionStatus. */
const statusOfParameters = ({ parameter }: z.infer<typeof Parameters>): unknown => {
	const found = (name: string) => parameter.find((each) => each.name === name);
	const since = found('events-since-subscription-start');
	return {
		subscription: found('subscription')?.valueReference,
		status: found('status')?.valueCode,
		type: found('type')?.valueCode,
		eventsSinceSubscriptionStart: since?.valueString ?? since?.valueInteger64,
		notificationEvent: parameter
			.filter((each) => each.name === 'notification-event')
			.map(({ part }) => {
				const numbered = part?.find((each) => each.name === 'event-number');
				return { eventNumber: numbered?.valueString ?? numbered?.valueInteger64 };
			})
	};
};

export type Notification = Told & { readonly slots: readonly PushedSlot[] };

/** `…/Subscription/9` → `9`; whatever else is said is its own name. */
const idOf = (text: string): string =>
	(/Subscription\/([A-Za-z0-9.-]{1,64})(?:\/|$)/.exec(text)?.[1] ?? text).slice(0, 128);

/** Y5: null for anything that is no notification. */
export const parseNotification = (body: unknown): Notification | null => {
	const bundle = Bundle.safeParse(body).data;
	const first = bundle?.entry[0]?.resource;
	if (bundle === undefined || first === undefined) return null;
	const parameters = Parameters.safeParse(first).data;
	const told = Status.safeParse(parameters === undefined ? first : statusOfParameters(parameters));
	if (!told.success) return null;
	const { subscription, status, type, eventsSinceSubscriptionStart, notificationEvent } = told.data;
	return {
		subscription: idOf(subscription.reference),
		status,
		type,
		eventsSinceStart: eventsSinceSubscriptionStart ?? null,
		events: (notificationEvent ?? []).map(({ eventNumber }) => eventNumber),
		slots: bundle.entry.slice(1).flatMap(({ resource }) => readPushedSlot(resource) ?? [])
	};
};
