// One slot as the JSON text that is published, kept per version of the slot: a slot is a new object
// after each change, so the kept texts are right without being told of changes.
import { must } from '#domain/result.ts';
import { specialtyOf } from './codes.ts';
import type { Ask } from './exchange.ts';
import type { Practitioner } from './practitioner.ts';
import { scheduleId } from './records.ts';
import type { Slot } from './slot-book.ts';
import type { Extension, SlotRecord } from './wire.ts';
import type { Organisation } from './world.ts';
import { instantText } from './zones.ts';

/** What is wrong with the slots of this answer. */
export type Distortion = { wrongOffset: boolean; repeatedIds: boolean };

export type SlotTexts = (slot: Slot, distortion: Distortion) => string;

/** Ids left when ids repeat, as in a real feed of 1,542 slots under 112 ids. */
const REPEATED_IDS = 12;

export const distortionOf = (ask: Ask): Distortion => ({
	wrongOffset: ask.fault('wrong_offset') !== undefined,
	repeatedIds: ask.fault('repeated_ids') !== undefined
});

export const isDistorted = ({ wrongOffset, repeatedIds }: Distortion): boolean =>
	wrongOffset || repeatedIds;

/** Same id for many slots, the same one in every answer. */
const repeatedId = (org: Organisation, slot: Slot): string =>
	`${org.code}-r${(slot.startAt / 60_000) % REPEATED_IDS}`;

export const publishedId = (org: Organisation, slot: Slot, distortion: Distortion): string =>
	distortion.repeatedIds ? repeatedId(org, slot) : slot.id;

export type SlotFormat = {
	/** meta, and the service type on each slot. */
	withMeta: boolean;
	/** The four statuses of R4, or only free and busy as in edition 1.0. */
	allStatuses: boolean;
	extensions: (slot: Slot, person: Practitioner) => Extension[];
};

type Making = {
	org: Organisation;
	person: Practitioner;
	format: SlotFormat;
	distortion: Distortion;
};

const makeRecord = (slot: Slot, { org, person, format, distortion }: Making): SlotRecord => {
	const extension = format.extensions(slot, person);
	const text = (at: number): string => instantText(person.timeZone, at, distortion.wrongOffset);
	const { serviceType } = specialtyOf(person.specialtyId);
	return {
		resourceType: 'Slot',
		id: publishedId(org, slot, distortion),
		...(format.withMeta && {
			meta: {
				versionId: String(slot.version),
				lastUpdated: new Date(slot.updatedAt).toISOString()
			}
		}),
		...(extension.length > 0 && { extension }),
		...(format.withMeta && { serviceType: [{ coding: [serviceType] }] }),
		schedule: { reference: `Schedule/${scheduleId(person.id)}` },
		status: format.allStatuses || slot.status === 'free' ? slot.status : 'busy',
		start: text(slot.startAt),
		end: text(slot.endAt)
	};
};

/** Creates the texts of a clinic's slots in one format. */
export const createSlotTexts = (org: Organisation, format: SlotFormat): SlotTexts => {
	const people = new Map(org.practitioners.map((person) => [person.id, person]));
	const kept = new WeakMap<Slot, string>();
	return (slot, distortion) => {
		const person = must(people.get(slot.practitionerId), 'practitioner of the slot');
		const make = (): string =>
			JSON.stringify(makeRecord(slot, { org, person, format, distortion }));
		if (isDistorted(distortion)) return make();
		const known = kept.get(slot);
		if (known !== undefined) return known;
		const text = make();
		kept.set(slot, text);
		return text;
	};
};
