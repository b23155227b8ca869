// Reasons for a visit in plain names, and the search over names and synonyms. Server side only.
import { specialties, type Specialty } from '#domain/codes.ts';

export type Reason = { readonly id: string; readonly name: string };
export type ReasonGroup = { readonly name: string; readonly reasons: readonly Reason[] };

const MAX_SEARCH_CHARACTERS = 80;

const plain = (text: string): string =>
	text
		.normalize('NFKD')
		.replaceAll(/[^\p{L}\p{N} ]/gu, '')
		.toLowerCase()
		.replaceAll(/\s+/g, ' ')
		.trim();

const score = (specialty: Specialty, wanted: string): number => {
	const name = plain(specialty.consumerName);
	if (name === wanted) return 4;
	const others = [plain(specialty.display), ...specialty.synonyms.map(plain)];
	if (others.includes(wanted)) return 3;
	if (name.startsWith(wanted)) return 2;
	if ([name, ...others].some((text) => ` ${text}`.includes(` ${wanted}`))) return 1;
	const words = wanted.split(' ').filter((word) => word.length > 2);
	const all = [name, ...others].join(' ');
	return words.length > 0 && words.every((word) => all.includes(word)) ? 0.5 : 0;
};

/** U2: names and synonyms, accents and case aside; best match first, all of them when empty. */
export const findReasons = (text: string): readonly Specialty[] => {
	const wanted = plain(text.slice(0, MAX_SEARCH_CHARACTERS));
	if (wanted === '') return specialties;
	return specialties
		.map((specialty) => ({ specialty, rank: score(specialty, wanted) }))
		.filter(({ rank }) => rank > 0)
		.toSorted((a, b) => b.rank - a.rank)
		.map(({ specialty }) => specialty);
};

export const groupReasons = (found: readonly Specialty[]): readonly ReasonGroup[] => {
	const groups = new Map<string, Reason[]>();
	for (const { id, consumerName, group } of found) {
		const reasons = groups.get(group) ?? [];
		reasons.push({ id, name: consumerName });
		groups.set(group, reasons);
	}
	return [...groups].map(([name, reasons]) => ({ name, reasons }));
};
