// One invented clinician: name, specialty, zone, licences, visit kinds, languages, networks and
// weekly hours. Pure, from chance given to it.
import type { VisitKind } from './codes.ts';
import { allUsps, regionOf } from './codes.ts';
import { neighboursOf } from './geography.ts';
import { must } from '#domain/result.ts';
import { networks } from './networks.ts';
import type { PersonName } from './people.ts';
import { inventLanguages, inventName, inventNpi } from './people.ts';
import type { Profile } from './profiles.ts';
import type { Random } from './random.ts';

/** One weekly stretch of work, wall time of the practitioner's zone. */
export type WeeklySession = { weekday: number; fromMinute: number; toMinute: number };

export type Practitioner = {
	/** `c01-p003`: unique in the world; ids of its role, schedule and slots begin with it. */
	id: string;
	npi: string;
	name: PersonName;
	specialtyId: string;
	home: string;
	timeZone: string;
	/** USPS codes of the regions of licence, the home region among them. */
	regions: readonly string[];
	visitKinds: readonly VisitKind[];
	languages: readonly string[];
	networkIds: readonly string[];
	slotMinutes: 15 | 20 | 30 | 50;
	/** Places in one slot; above 1 only for group visits. */
	capacity: number;
	/** All sessions the practitioner could work, the ones really worked first. */
	sessions: readonly WeeklySession[];
	/** Sought after: gone within hours. */
	hot: boolean;
};

/** Facts that hold for all of a 1.0 publisher, because its edition cannot say them one by one. */
export type UniformFacts = {
	timeZone: string;
	regions: readonly string[];
	visitKinds: readonly VisitKind[];
	languages: readonly string[];
	networkIds: readonly string[];
};

export type Invention = {
	clinicCode: string;
	profile: Profile;
	/** Different for every practitioner of the world. */
	number: number;
	/** Place within the clinic. */
	index: number;
	specialtyId: string;
	uniform: UniformFacts | null;
	random: Random;
};

const homeZone = (home: string): string => must(regionOf(home).timeZones[0], 'zone');

export const uniformFacts = (homes: readonly string[]): UniformFacts => ({
	timeZone: homeZone(must(homes[0], 'home')),
	regions: homes,
	visitKinds: ['video', 'phone'],
	languages: ['en', 'es'],
	networkIds: ['medicare', 'medicaid', 'prairie-mutual', 'harvest', 'tricare']
});

const kindSets: readonly (readonly VisitKind[])[] = [
	['video'],
	['video', 'phone'],
	['video', 'phone'],
	['video', 'phone', 'chat'],
	['phone'],
	['phone', 'chat'],
	['chat']
];

/** Mostly one to four neighbours, some compacts of five to eight, a few nationwide. */
const inventLicences = (home: string, random: Random): readonly string[] => {
	const near = neighboursOf(home);
	const draw = random.next();
	if (draw < 0.03) return allUsps;
	if (draw < 0.2) {
		const wide = [...new Set([...near, ...near.flatMap(neighboursOf)])].filter(
			(usps) => usps !== home
		);
		return [home, ...random.sample(wide, 4 + random.int(4))];
	}
	return [home, ...random.sample(near, random.int(4))];
};

const inventNetworks = (random: Random): string[] =>
	random.sample(networks, 3 + random.int(6)).map((network) => network.id);

const minutesFor = (specialtyId: string, random: Random): 15 | 20 | 30 | 50 => {
	const talks = /psycholog|social-work|counseling|speech|physical/.test(specialtyId);
	if (talks) return 50;
	return random.pick([15, 20, 20, 30, 30]);
};

/** Weekday mornings and afternoons, an evening or two, a Saturday; in an order of its own. */
const inventSessions = (random: Random): WeeklySession[] => {
	const opens = random.pick([8 * 60, 8 * 60 + 30, 9 * 60]);
	const halves = [1, 2, 3, 4, 5].flatMap((weekday) => [
		{ weekday, fromMinute: opens, toMinute: opens + 180 },
		{ weekday, fromMinute: opens + 240, toMinute: opens + 480 }
	]);
	const odd = [
		{ weekday: 1 + random.int(4), fromMinute: 17 * 60 + 30, toMinute: 20 * 60 },
		{ weekday: 6, fromMinute: 9 * 60, toMinute: 12 * 60 },
		{ weekday: 0, fromMinute: 13 * 60, toMinute: 16 * 60 }
	];
	const early = random.sample(halves, 3);
	const rest = [...halves.filter((half) => !early.includes(half)), ...odd];
	return [...early, ...random.sample(rest, rest.length)];
};

const zoneOf = (home: string, random: Random): string => {
	const { timeZones } = regionOf(home);
	const second = timeZones[1];
	return second !== undefined && random.chance(0.2) ? second : homeZone(home);
};

/** Invents one practitioner. A 1.0 publisher's people all share its uniform facts. */
export const inventPractitioner = (invention: Invention): Practitioner => {
	const { profile, uniform, random, specialtyId, index } = invention;
	const home = must(profile.homes[index % profile.homes.length], 'home');
	const groups = profile.speaks.kind === 'smart-scheduling-links' && profile.speaks.groups;
	return {
		id: `${invention.clinicCode}-p${String(index + 1).padStart(3, '0')}`,
		npi: inventNpi(invention.number),
		name: inventName(invention.number, specialtyId),
		specialtyId,
		home,
		timeZone: uniform?.timeZone ?? zoneOf(home, random),
		regions: uniform?.regions ?? inventLicences(home, random),
		visitKinds: uniform?.visitKinds ?? random.pick(kindSets),
		languages: uniform?.languages ?? inventLanguages(random),
		networkIds: uniform?.networkIds ?? inventNetworks(random),
		slotMinutes: minutesFor(specialtyId, random),
		capacity: groups && index % 3 === 0 ? 3 + random.int(6) : 1,
		sessions: inventSessions(random),
		hot: random.chance(profile.hot ? 0.3 : 0.06)
	};
};
