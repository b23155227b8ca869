// Slot feeds for tests: records, NDJSON and Bundles, and a reader for them.
import { must } from '#domain/result.ts';
import { DAY_MS, MINUTE_MS, toInstant } from '#domain/time.ts';
import { slotKeyOf, type SlotFact, type SlotKey } from '#domain/slot.ts';
import { openBundle } from '#workers/connectors/bundle.ts';
import type { Part, ReadOptions } from '#workers/connectors/ledger.ts';
import { bodyOfLines } from '#workers/connectors/pieces.ts';
import { createDirectory } from '#workers/connectors/providers/directory.ts';
import { describeSchedules } from '#workers/connectors/providers/schedule-facts.ts';
import { createSlotReader } from '#workers/connectors/providers/slot-facts.ts';

export type Form = 'lines' | 'bundle' | 'pretty';

export const FEED_START = Date.UTC(2026, 5, 1, 12);

export type FeedSlot = {
	readonly id: string;
	readonly schedule: number;
	/** In steps of 20 minutes from FEED_START. */
	readonly step: number;
	readonly status: string;
	readonly link: string;
};

export const makeFeedSlot = (over: Partial<FeedSlot> = {}): FeedSlot => ({
	id: 's1',
	schedule: 0,
	step: 0,
	status: 'free',
	link: 'https://clinic.example/book',
	...over
});

export const toResource = (slot: FeedSlot): object => {
	const startsAt = FEED_START + slot.step * 20 * MINUTE_MS;
	return {
		resourceType: 'Slot',
		id: slot.id,
		extension: [
			{
				url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/booking-deep-link',
				valueUrl: slot.link
			}
		],
		schedule: { reference: `Schedule/${slot.schedule}` },
		status: slot.status,
		start: new Date(startsAt).toISOString(),
		end: new Date(startsAt + 20 * MINUTE_MS).toISOString()
	};
};

const entryOf = (slot: FeedSlot): object => ({
	fullUrl: `https://clinic.example/fhir/Slot/${slot.id}`,
	resource: toResource(slot),
	search: { mode: 'match' }
});

/** The bytes of a whole feed. */
export const feedBytes = (form: Form, slots: readonly FeedSlot[]): Buffer => {
	if (form === 'lines') {
		return Buffer.from(slots.map((slot) => `${JSON.stringify(toResource(slot))}\n`).join(''));
	}
	const bundle = {
		resourceType: 'Bundle',
		type: 'searchset',
		total: slots.length,
		link: [{ relation: 'self', url: 'https://clinic.example/fhir/Slot?"entry":[{' }],
		entry: slots.map(entryOf)
	};
	return Buffer.from(JSON.stringify(bundle, null, form === 'pretty' ? 2 : undefined));
};

export const feedParts = (form: Form, bytes: Buffer): Part[] => [
	{
		name: 'feed',
		body: form === 'lines' ? bodyOfLines(bytes) : must(openBundle(bytes), 'Bundle').body
	}
];

const SCHEDULES = 5;

export const feedReader = (form: Form, windowDays = 30): ReadOptions => {
	const directory = createDirectory(
		Array.from({ length: SCHEDULES }, (_, at) => ({
			resource: { resourceType: 'Schedule', id: String(at) }
		}))
	);
	const notes = { zone: 'America/Denver' };
	const schedules = describeSchedules(directory, { name: 'Clinic', notes });
	return {
		reader: createSlotReader({ directory, schedules, notes }, form === 'lines' ? 'file' : 'bundle'),
		window: {
			from: toInstant(FEED_START),
			to: toInstant(FEED_START + windowDays * DAY_MS)
		}
	};
};

export const byKey = (facts: readonly SlotFact[]): Map<SlotKey, SlotFact> =>
	new Map(facts.map((fact) => [slotKeyOf(fact), fact]));
