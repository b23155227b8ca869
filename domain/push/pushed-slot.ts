// A slot told in full by a push: only what says when it is and whether it is free. It may change what
// we know of that slot; it never removes one, and never takes us back to an older version.
import { z } from 'zod';
import { isSlotStatus, slotStatuses, versionNumberOf, type SlotFact } from '../slot.ts';
import { parseOffsetInstant, toInstant, type Instant } from '../time.ts';

/** As kept in the inbox until it was applied. */
export const PushedSlot = z.strictObject({
	id: z.string().min(1).max(128),
	schedule: z.string().min(1).max(200),
	startsAt: z.int(),
	endsAt: z.int(),
	service: z.string().max(60),
	status: z.enum(slotStatuses),
	/** `meta.versionId`, '' when it has none. */
	version: z.string().max(64),
	/** `meta.lastUpdated`, by the source's clock, ms. */
	updatedAt: z.int().nullable(),
	/** Places, where it tells them (`slot-capacity`); left out = it does not. */
	places: z.int().min(0).max(100_000).optional(),
	/** Nothing else is said of it that a poll would read. */
	isPlain: z.boolean()
});
export type PushedSlot = z.infer<typeof PushedSlot>;

const text = (most: number) => z.string().max(most);

/** The fields of a FHIR Slot that are read at all; a comment, for one, is never looked at. */
const FhirSlot = z.object({
	resourceType: z.literal('Slot'),
	id: text(128).min(1),
	meta: z.object({ versionId: text(64).optional(), lastUpdated: text(40).optional() }).optional(),
	schedule: z.object({ reference: text(500) }),
	status: text(40),
	start: text(40),
	end: text(40),
	serviceType: z
		.array(
			z.object({
				coding: z
					.array(z.object({ code: text(200).optional() }))
					.max(20)
					.optional(),
				text: text(500).optional()
			})
		)
		.max(20)
		.optional(),
	extension: z.array(z.unknown()).max(100).optional()
});

const SCHEDULE = /(?:^|\/)Schedule\/([A-Za-z0-9._-]{1,200})(?:\/_history\/[^/]*)?$/;

const CAPACITY = 'http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity';

/** As a poll reads it: a number, or one in words of digits. */
const Capacity = z.object({
	url: z.literal(CAPACITY),
	valueInteger: z.int().min(0).max(100_000).optional(),
	valueString: z
		.string()
		.regex(/^\s*\d{1,5}\s*$/)
		.transform(Number)
		.optional()
});

type Extensions = Pick<PushedSlot, 'places' | 'isPlain'>;

/** Places are the only extension that is read; one that is odd is left to a poll, like all others. */
const extensionsOf = (extensions: readonly unknown[]): Extensions => {
	const [only, ...others] = extensions;
	if (only === undefined) return { isPlain: true };
	const told = extensions
		.map((each) => Capacity.safeParse(each).data)
		.filter((each) => each !== undefined);
	const [capacity] = told;
	const places = capacity?.valueInteger ?? capacity?.valueString;
	if (told.length !== 1 || places === undefined) return { isPlain: false };
	return { places, isPlain: others.length === 0 };
};

/** A resource of a notification as a pushed slot; null when it is none that could be applied. */
export const readPushedSlot = (resource: unknown): PushedSlot | null => {
	const parsed = FhirSlot.safeParse(resource);
	if (!parsed.success) return null;
	const slot = parsed.data;
	const schedule = SCHEDULE.exec(slot.schedule.reference)?.[1];
	const start = parseOffsetInstant(slot.start);
	const end = parseOffsetInstant(slot.end);
	if (schedule === undefined || start === null || end === null || end.at <= start.at) return null;
	if (!isSlotStatus(slot.status)) return null;
	const [concept] = slot.serviceType ?? [];
	const code = concept?.coding?.find((each) => (each.code ?? '') !== '')?.code;
	const updated = slot.meta?.lastUpdated;
	return {
		id: slot.id,
		schedule,
		startsAt: start.at,
		endsAt: end.at,
		service: (code ?? concept?.text ?? '').slice(0, 60),
		status: slot.status,
		version: slot.meta?.versionId ?? '',
		updatedAt: updated === undefined ? null : (parseOffsetInstant(updated)?.at ?? null),
		...extensionsOf(slot.extension ?? [])
	};
};

/** What the store knows beside: when the listing was true, and the newest push of this very slot. */
export type Known = {
	readonly fact: SlotFact | null;
	/** By the source's own clock. */
	readonly listedAt: Instant | null;
	readonly toldAt: Instant | null;
};

/** Clocks in HTTP dates tell whole seconds: within one of them nobody knows which came first. */
const DATE_GRAIN_MS = 1_000;

type Order = 'newer' | 'out_of_date' | 'unsure';

const byTime = ({ updatedAt }: PushedSlot, { listedAt, toldAt }: Known): Order => {
	if (updatedAt === null || listedAt === null) return 'unsure';
	if (toldAt !== null && updatedAt <= toldAt) return 'out_of_date';
	if (updatedAt > listedAt + DATE_GRAIN_MS) return 'newer';
	return updatedAt < listedAt ? 'out_of_date' : 'unsure';
};

const orderOf = (pushed: PushedSlot, known: Known): Order => {
	const before = known.fact === null ? null : versionNumberOf(known.fact.version);
	const now = versionNumberOf(pushed.version);
	if (before === null || now === null) return byTime(pushed, known);
	return now > before ? 'newer' : 'out_of_date';
};

export type PushDecision =
	| { readonly kind: 'apply'; readonly fact: SlotFact }
	/** Older than what is known: a normal outcome of a network, nothing to do. */
	| { readonly kind: 'out_of_date' }
	/** Only a poll can tell. */
	| { readonly kind: 'unsure' };

/** What a poll would make of places and status; null = only a poll can tell. */
const supplyOf = (
	{ status, places }: PushedSlot,
	fact: SlotFact | null
): Pick<SlotFact, 'capacity' | 'remaining'> | null => {
	// One that had several and now says nothing of places: a poll would read one, if that is all there is.
	if (status === 'free' && places === undefined && (fact?.capacity ?? 1) > 1) return null;
	const left = places ?? 1;
	return { capacity: Math.max(left, 1), remaining: status === 'free' ? left : 0 };
};

const plainFact = (
	pushed: PushedSlot,
	supply: Pick<SlotFact, 'capacity' | 'remaining'>
): SlotFact => ({
	scheduleKey: pushed.schedule,
	startsAt: toInstant(pushed.startsAt),
	endsAt: toInstant(pushed.endsAt),
	service: pushed.service,
	status: pushed.status,
	...supply,
	sourceSlotId: pushed.id,
	version: pushed.version,
	kinds: null,
	bookUrl: null,
	bookPhone: null
});

/**
 * Y6, Y7, U40: whether a pushed slot may be written. Of a known slot only status, places and version change;
 * whatever else an extension says is left to a poll.
 */
export const decidePushed = (pushed: PushedSlot, known: Known): PushDecision => {
	const order = orderOf(pushed, known);
	if (order !== 'newer') return { kind: order };
	const { fact } = known;
	const supply = supplyOf(pushed, fact);
	if (supply === null) return { kind: 'unsure' };
	if (fact === null) {
		return pushed.isPlain ? { kind: 'apply', fact: plainFact(pushed, supply) } : { kind: 'unsure' };
	}
	const { status, version } = pushed;
	return { kind: 'apply', fact: { ...fact, ...supply, status, version } };
};
