// A Source: one configured endpoint of one provider organisation, polled by one connector.
import { z } from 'zod';
import { Mapping } from './mapping.ts';
import { OpeningHours } from './opening-hours.ts';
import { isZone } from './zone.ts';
import { visitKinds } from './codes.ts';

export const sourceKinds = [
	'smart-scheduling-links',
	'fhir-slots',
	'fhir-operations',
	'cal-com',
	'ical',
	'mapped'
] as const;
export type SourceKind = (typeof sourceKinds)[number];

/** Kinds whose API takes bookings; of all others a booking would never be settled. */
const bookableKinds: readonly SourceKind[] = ['fhir-slots', 'cal-com', 'fhir-operations'];

/** `cal-com`: the event types that are offered, each as a schedule of its own. */
const CalEventType = z.strictObject({
	id: z.int().min(1).max(2_147_483_647),
	/** Whom one sees; `practitionerName` when left out. */
	name: z.string().max(200).optional(),
	/** Length, where the server tells no end; minutes. */
	minutes: z.int().min(5).max(480).optional(),
	specialtyIds: z.array(z.string().max(60)).max(60).optional(),
	kinds: z.array(z.enum(visitKinds)).max(3).optional()
});
export type CalEventType = z.infer<typeof CalEventType>;

const sourceKey = z.string().regex(/^[a-z0-9-]{2,60}$/);

const reference = z.string().regex(/^[A-Z][A-Za-z]{1,40}\/[A-Za-z0-9.-]{1,64}$/, 'not a reference');

/** `fhir-operations`: whose `$find`, and what it is asked for. */
const FhirFind = z.strictObject({
	/** Argonaut 1.0.1, IHE ITI Scheduling 1.0.0, or Medplum. */
	style: z.enum(['argonaut', 'ihe', 'medplum']),
	/** Only these; all that the server knows when left out. */
	practitioners: z.array(reference).min(1).max(100).optional(),
	/** Medplum finds by schedule and service; both are needed there. */
	schedules: z.array(reference).min(1).max(100).optional(),
	service: reference.optional(),
	/** The server keeps a found time by `$hold` before `$book`. */
	holds: z.boolean().default(false)
});
export type FhirFind = z.infer<typeof FhirFind>;

const tokenFields = {
	/** Where tokens are given; `token_endpoint` of `[base]/.well-known/smart-configuration`. */
	tokenUrl: z.url({ protocol: /^https?$/ }).max(2_000),
	/** Who we are there. */
	clientId: z.string().regex(/^[\x21-\x7e]{1,200}$/),
	/** What we ask for, such as `system/Slot.rs system/Appointment.crus`. */
	scope: z.string().max(1_000).optional()
};

/** `fhir-slots`, `fhir-operations`: how the source's secret lets us in. */
const SignInRule = z.discriminatedUnion('way', [
	/** The secret is the token. */
	z.strictObject({ way: z.literal('bearer') }),
	/** The secret is a key in a header of the vendor's. */
	z.strictObject({ way: z.literal('header'), name: z.string().regex(/^[A-Za-z0-9-]{1,60}$/) }),
	/** SMART Backend Services: the secret is our private key (JWK; RSA or EC P-384). */
	z.strictObject({
		way: z.literal('smart-backend'),
		...tokenFields,
		/** `kid` of our public key there; that of the key itself when left out. */
		keyId: z.string().max(200).optional()
	}),
	/** OAuth 2.0 client credentials: the secret is the client secret. */
	z.strictObject({ way: z.literal('client-secret'), ...tokenFields })
]);
export type SignInRule = z.infer<typeof SignInRule>;

/**
 * What the operator knows and the source does not say (a 1.0 publisher cannot name visit kinds,
 * licences or plans). Used only where the source is silent.
 */
export const OperatorNotes = z.strictObject({
	organizationName: z.string().max(200).optional(),
	zone: z.string().refine(isZone, 'not an IANA time zone').optional(),
	specialtyIds: z.array(z.string().max(60)).max(60).optional(),
	regions: z.array(z.string().max(8)).max(60).optional(),
	kinds: z.array(z.enum(visitKinds)).max(3).optional(),
	languages: z.array(z.string().max(8)).max(40).optional(),
	planIds: z.array(z.string().max(40)).max(40).optional(),
	phone: z.string().max(40).optional(),
	/** A time that begins sooner than this cannot be booked here, minutes. */
	minNoticeMinutes: z.int().min(0).max(20_160).optional(),
	/** `instant` (default): believe the offset. `wall`: believe the wall clock, repair the offset. */
	trust: z.enum(['instant', 'wall']).optional(),
	/** Who is visited, where a calendar names nobody; the name of the source when left out. */
	practitionerName: z.string().max(200).optional(),
	/** Where people book, when the source names no page for each slot. */
	bookUrl: z
		.url({ protocol: /^https?$/ })
		.max(2_000)
		.optional(),
	/** `ical`: when visits are given, in the zone above; busy time is taken off. */
	hours: z.array(OpeningHours).min(1).max(60).optional(),
	/** `ical`: length of a visit, minutes. */
	slotMinutes: z.int().min(5).max(480).optional(),
	/** `mapped`: how the vendor's answers are read. */
	mapping: Mapping.optional(),
	calEventTypes: z.array(CalEventType).min(1).max(50).optional(),
	find: FhirFind.optional(),
	/** E20: of twins the source with the lower rank is shown; 50 when left out. */
	trustRank: z.int().min(1).max(100).optional(),
	/** E20: keys of sources that list the same practitioners as this one. */
	sameAs: z.array(sourceKey).min(1).max(50).optional(),
	signIn: SignInRule.optional(),
	/** `fhir-slots`: Slots are asked for schedule by schedule; found out where a search is refused. */
	slotsBy: z.literal('schedule').optional(),
	/**
	 * `smart-scheduling-links`: true = asked with `_since` though its manifest does not repeat it; false =
	 * never. Found out when left out.
	 */
	asksSince: z.boolean().optional()
});
export type OperatorNotes = z.infer<typeof OperatorNotes>;

export const SourceSettings = z
	.strictObject({
		/** Stable name the operator chose, e.g. `big-sky-dermatology`. */
		key: sourceKey,
		name: z.string().min(1).max(200),
		kind: z.enum(sourceKinds),
		/** The manifest, the FHIR base, the calendar feed: what docs/connectors/ says of the kind. */
		url: z.url().max(2_000),
		notes: OperatorNotes.default({}),
		/** Shortest time between two polls, ms. SMART Scheduling Links asks for 60 s. */
		minIntervalMs: z.int().min(250).max(86_400_000).default(60_000),
		/** Older than this and the source's slots are shown as stale, ms. */
		freshForMs: z.int().min(1_000).max(604_800_000).default(300_000),
		/** How far ahead slots are asked for, ms. */
		windowMs: z.int().min(3_600_000).max(7_776_000_000).default(1_209_600_000),
		/** The operator vouches for private addresses here (loopback, clinic VPN). */
		allowPrivate: z.boolean().default(false),
		/** `fhir` books through the source's API, FHIR or another; `link` hands over to the publisher's portal, `phone` shows a number. */
		booking: z.enum(['fhir', 'link', 'phone']).default('link')
	})
	.refine(
		({ kind, booking }) => booking !== 'fhir' || bookableKinds.includes(kind),
		'a source of this kind cannot be booked at'
	);
export type SourceSettings = z.infer<typeof SourceSettings>;

export { freshnessOf, type Freshness } from './freshness.ts';
