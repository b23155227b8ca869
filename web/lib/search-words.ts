// Names for what a search holds, and the choices its form offers. Server side only.
import { findPlanType, findRegion, findSpecialty, planTypes, regions } from '#domain/codes.ts';
import type { BoardQuery } from '#domain/board.ts';
import { kindsWords, languageWord } from './kind-words.ts';
import { zoneWords } from './time-words.ts';
import { m } from './words.ts';

export type Choice = readonly [value: string, name: string];

export type SearchWords = {
	readonly specialty: string;
	readonly region: string;
	/** Empty when no plan was asked for. */
	readonly plan: string;
	/** What narrows the search, in order: kinds, plan, time of day, language. */
	readonly choices: readonly string[];
};

export type SearchLists = {
	readonly regions: readonly Choice[];
	readonly plans: readonly Choice[];
	readonly languages: readonly Choice[];
	/** Only where the region has several. */
	readonly zones: readonly Choice[];
};

/** The languages most spoken at home in the United States, and American Sign Language. */
const LANGUAGES = 'en es ar de fr hi ht ko nv pl pt ru ase tl vi zh'.split(' ');

const whenWord = (when: BoardQuery['dayPart']): string => {
	const words = {
		any: '',
		morning: m.filter_when_morning(),
		afternoon: m.filter_when_afternoon(),
		evening: m.filter_when_evening()
	};
	return words[when];
};

export const planWord = (id: string | null): string =>
	id === null ? '' : (findPlanType(id)?.consumerName ?? id);

export const specialtyWord = (id: string): string => findSpecialty(id)?.consumerName ?? id;
export const regionWord = (code: string): string => findRegion(code)?.name ?? code;

export const wordsOf = (query: BoardQuery): SearchWords => {
	const plan = planWord(query.plan);
	const language = query.language === null ? '' : languageWord(query.language);
	const kinds = query.kinds.length === 0 ? '' : kindsWords(query.kinds);
	return {
		specialty: specialtyWord(query.specialty),
		region: regionWord(query.region),
		plan,
		choices: [kinds, plan, whenWord(query.dayPart), language].filter((word) => word !== '')
	};
};

export const regionChoices = (): readonly Choice[] => regions.map(({ code, name }) => [code, name]);
export const planChoices = (): readonly Choice[] =>
	planTypes.map(({ id, consumerName }) => [id, consumerName]);

export const listsFor = (query: BoardQuery): SearchLists => {
	const zones = findRegion(query.region)?.timeZones ?? [];
	return {
		regions: regionChoices(),
		plans: planChoices(),
		languages: LANGUAGES.map((tag) => [tag, languageWord(tag)]),
		zones: zones.length < 2 ? [] : zones.map((zone) => [zone, zoneWords(zone)])
	};
};
