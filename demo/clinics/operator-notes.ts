// What an operator knows about a clinic without asking its API: agreed on paper when the source is
// set up. Needed most for 1.0 publishers, who cannot say any of it.
import { must } from '#domain/result.ts';
import type { VisitKind } from './codes.ts';
import { fictionPhone } from './geography.ts';
import { networkOf } from './networks.ts';
import type { Profile } from './profiles.ts';
import type { World } from './world.ts';

export type OperatorNotes = {
	edition: '1.0' | '2-draft' | 'r4' | 'practice';
	/** Zone of most of its practitioners; of all of them for a 1.0 publisher. */
	timeZone: string;
	/** ISO 3166-2 codes (`US-MT`): every region somebody there is licensed in. */
	regions: readonly string[];
	visitKinds: readonly VisitKind[];
	/** BCP 47. */
	languages: readonly string[];
	/** Network names with the plan types (ids of plan-types.json) they serve. */
	networks: readonly { name: string; planTypes: readonly string[] }[];
	/** Ids of plan-types.json, the networks' together. */
	planTypes: readonly string[];
	/** Ids of specialties.json. */
	specialties: readonly string[];
	/** True when the facts above hold for every practitioner alike. */
	holdsForAll: boolean;
	phone: string;
	booking: 'deep-link' | 'fhir-appointment' | 'api' | 'phone';
	/** FHIR: a slot that is not listed any more is taken. */
	listsOnlyFree: boolean;
	/** FHIR: slots may be set busy-tentative by PUT. */
	slotWritable: boolean;
	/** FHIR: Slot/_history?_since is offered. */
	history: boolean;
	/** Links: `_since` on the manifest is honoured. */
	honoursSince: boolean;
};

const together = <T>(lists: readonly (readonly T[])[]): T[] => [...new Set(lists.flat())];

/** The zone most of them work in. */
const commonest = (zones: readonly string[]): string => {
	const counts = Map.groupBy(zones, (zone) => zone);
	const [first] = [...counts].toSorted(([, one], [, other]) => other.length - one.length);
	return must(first, 'zone')[0];
};

type Spoken = Pick<
	OperatorNotes,
	'edition' | 'booking' | 'listsOnlyFree' | 'slotWritable' | 'history' | 'honoursSince'
>;

const nothingMore = {
	listsOnlyFree: false,
	slotWritable: false,
	history: false,
	honoursSince: false
};

const spokenNotes = (speaks: Profile['speaks']): Spoken => {
	switch (speaks.kind) {
		case 'fhir-slots': {
			const { listsOnlyFree, slotWritable, history } = speaks;
			const said = { ...nothingMore, listsOnlyFree, slotWritable, history };
			return { ...said, edition: 'r4', booking: 'fhir-appointment' };
		}
		case 'smart-scheduling-links': {
			const { edition, honoursSince } = speaks;
			return { ...nothingMore, edition, honoursSince, booking: 'deep-link' };
		}
		default:
			return {
				...nothingMore,
				edition: 'practice',
				booking: speaks.takesBookings ? 'api' : 'phone'
			};
	}
};

/** The notes on one organisation. */
export const operatorNotesOf = (organisation: World['organisations'][number]): OperatorNotes => {
	const { practitioners: people, profile } = organisation;
	const { speaks } = profile;
	const networks = together(people.map((person) => person.networkIds)).map(networkOf);
	return {
		...spokenNotes(speaks),
		timeZone: commonest(people.map((person) => person.timeZone)),
		regions: together(people.map((person) => person.regions))
			.toSorted()
			.map((usps) => `US-${usps}`),
		visitKinds: together(people.map((person) => person.visitKinds)),
		languages: together(people.map((person) => person.languages)),
		networks: networks.map(({ name, planTypes }) => ({ name, planTypes })),
		planTypes: together(networks.map((network) => network.planTypes)),
		specialties: together(people.map((person) => [person.specialtyId])),
		holdsForAll: organisation.uniform !== null || people.length === 1,
		phone: fictionPhone(must(profile.homes[0], 'home'), 12)
	};
};
