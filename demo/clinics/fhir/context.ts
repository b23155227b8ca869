// What the routes of one simulated FHIR server share: the clinic, its directory, its quirks.
import type { Clinic } from '../clinic.ts';
import type { Practitioner } from '../practitioner.ts';
import type { FhirProfile } from '../profiles.ts';
import { directoryOf, scheduleId } from '../records.ts';
import type { SlotTexts } from '../slot-record.ts';
import { createSlotTexts } from '../slot-record.ts';
import type { Slot } from '../slot-book.ts';
import type { DirectoryRecord } from '../wire.ts';
import type { Item } from './pages.ts';
import { referencesAt, slotParams } from './params.ts';
import type { SearchParams } from './search.ts';
import type { Subscriptions } from './subscriptions.ts';
import { createSubscriptions } from './subscriptions.ts';
import type { Faults } from '../faults.ts';

/** Where a simulated FHIR server keeps its base. */
export const FHIR_PATH = '/fhir';

export type FhirContext = {
	clinic: Clinic;
	profile: FhirProfile;
	directory: ReadonlyMap<string, DirectoryRecord>;
	people: ReadonlyMap<string, Practitioner>;
	texts: SlotTexts;
	subscriptions: Subscriptions;
	slotParams: SearchParams<Slot>;
	/** The last few listings of slots, each right for one revision. */
	listings: Map<string, { revision: number; items: readonly Item[] }>;
	/** Changes when the server starts anew, so that old ETags cannot match by accident. */
	bootId: string;
};

/** What one server's routes need, made once. */
export const createFhirContext = (
	clinic: Clinic,
	profile: FhirProfile,
	faults: Faults
): FhirContext => {
	const { organisation } = clinic;
	const bootedAt = clinic.now();
	const directory = directoryOf(organisation, bootedAt);
	const people = new Map(organisation.practitioners.map((person) => [person.id, person]));
	const actors = new Map<string, readonly string[]>();
	const actorsOf = (practitionerId: string): readonly string[] => {
		const known = actors.get(practitionerId);
		if (known !== undefined) return known;
		const schedule = directory.get(`Schedule/${scheduleId(practitionerId)}`);
		const found = [`Practitioner/${practitionerId}`, ...referencesAt(schedule, 'actor')];
		actors.set(practitionerId, found);
		return found;
	};
	const texts = createSlotTexts(organisation, {
		withMeta: true,
		allStatuses: true,
		extensions: () => []
	});
	return {
		clinic,
		profile,
		directory,
		people,
		texts,
		subscriptions: createSubscriptions({ clinic, faults, texts }),
		slotParams: slotParams(people, actorsOf),
		listings: new Map(),
		bootId: bootedAt.toString(36)
	};
};
