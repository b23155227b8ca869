// Invented clinicians' names and credentials, and identifiers that look right but name nobody.
import { must } from '#domain/result.ts';
import type { Random } from './random.ts';

const given = (
	'Ada Alma Amos Anika Arlo Bea Benita Calla Cato Cleo Dag Dalia Darius Edda Elio Enid Esme Ezra ' +
	'Faye Felix Freya Gita Greta Hana Hollis Ida Imani Ines Iver Jael Jonah Juno Kaia Kenji Lark ' +
	'Leona Linus Lupe Mabel Mateo Mina Nadia Nils Noor Odette Omar Opal Otis Paz Perla Quill Ravi ' +
	'Reba Roan Rosa Sable Sana Silas Sunniva Tamsin Thea Tobias Uma Vera Wes Wilma Xiomara Yara Zeke'
).split(' ');

const family = (
	'Abernathy-Vale Aldercott Ashgrove Bellwether Birchmore Brackenbury Calderwick Castellano-Reyes ' +
	'Coldwater Crowfoot-Lane Dahlgren Dovetail Eastlake Elmsworth Fairweather Fenwick-Ortiz Foxglove ' +
	'Galloway-Pine Goldfinch Greyling Hallowell Hartsong Hearthstone Hollander Ibarra-Quinn Ironwood ' +
	'Jessamine Kestrel Kittredge Larkspur Lindqvist Lockhaven Marigold Meadowlark Merriweather ' +
	'Nakai-Stone Nightingale Northcott Oakhurst Okonkwo-Bell Pemberly Pinehurst Quillfeather Ravenel ' +
	'Redfern Rosewater Sandoval-Kerr Silverthorn Songbird Stillwater Tanager Thackeray-Moon Thistledown ' +
	'Underhill Vandermeer-Cho Waxwing Whitlock-Nez Willowby Winterbourne Yellowtail Zamora-Fields'
).split(' ');

const credentialBySpecialty: Readonly<Record<string, string>> = {
	'family-nurse-practitioner': 'FNP-BC',
	'clinical-social-work': 'LCSW',
	psychology: 'PsyD',
	'mental-health-counseling': 'LMHC',
	lactation: 'IBCLC',
	'diabetes-education': 'RN, CDCES',
	dietetics: 'RDN',
	'physical-therapy': 'DPT',
	'speech-language-pathology': 'CCC-SLP',
	'genetic-counseling': 'CGC'
};

export type PersonName = { given: string; family: string; credential: string };

/** The `number`-th invented name; no two numbers below 4,000 share one. */
export const inventName = (number: number, specialtyId: string): PersonName => ({
	given: must(given[number % given.length], 'given name'),
	family: must(
		family[(number * 7 + Math.floor(number / given.length) * 3) % family.length],
		'family name'
	),
	credential: credentialBySpecialty[specialtyId] ?? 'MD'
});

/** "Ada Ashgrove, MD". */
export const fullName = (name: PersonName): string =>
	`${name.given} ${name.family}, ${name.credential}`;

/** The Luhn digit of an NPI, counted with the prefix 80840 of its issuer. */
const luhnDigit = (digits: string): number => {
	const full = `80840${digits}`;
	let sum = 0;
	for (let at = full.length - 1, twice = true; at >= 0; at -= 1, twice = !twice) {
		const value = Number(full[at]) * (twice ? 2 : 1);
		sum += value > 9 ? value - 9 : value;
	}
	return (10 - (sum % 10)) % 10;
};

/** A well-formed NPI from a range below the first ones handed out. */
export const inventNpi = (number: number): string => {
	const digits = `10000${String(number).padStart(4, '0')}`;
	return digits + String(luhnDigit(digits));
};

/** Languages besides English; Spanish most often. */
export const inventLanguages = (random: Random): string[] => {
	const more = new Set<string>();
	if (random.chance(0.3)) more.add('es');
	if (random.chance(0.12)) more.add(random.pick(['zh', 'vi', 'tl', 'fr', 'hmn', 'nv', 'ase']));
	return ['en', ...more];
};
