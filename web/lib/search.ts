// A search lives in the URL and nowhere else: shareable, works with the back button and without
// JavaScript. Server side only: it knows the code lists.
import { findPlanType, findRegion, findSpecialty, isVisitKind } from '#domain/codes.ts';
import { refuse, ok, type Result } from '#domain/result.ts';
import type { BoardQuery } from '#domain/board.ts';
import type { ScheduleId } from '#domain/ids.ts';
import type { Region, VisitKind } from '#domain/codes.ts';
import type { DayPart } from '#domain/zone.ts';

const dayParts: readonly string[] = ['morning', 'afternoon', 'evening'];
const isDayPart = (text: string | null): text is DayPart =>
	text !== null && dayParts.includes(text);

const languageShape = /^[a-z]{2,3}$/;

const readKinds = (params: URLSearchParams): VisitKind[] =>
	[...new Set(params.getAll('kind'))].filter(isVisitKind);

/** In whatever case somebody typed it into the address. */
export const regionIn = (params: URLSearchParams): Region | undefined =>
	findRegion((params.get('region') ?? '').toUpperCase());

/**
 * U1: specialty and region must be known; any other value that is not understood counts as not
 * asked, so that an old or mistyped link still shows times.
 */
export const readSearch = (
	params: URLSearchParams,
	scheduleId: ScheduleId | null = null
): Result<BoardQuery, 'unknown_specialty' | 'unknown_region'> => {
	const specialty = params.get('specialty') ?? '';
	if (findSpecialty(specialty) === undefined) return refuse('unknown_specialty');
	const region = regionIn(params);
	if (region === undefined) return refuse('unknown_region');
	const plan = params.get('plan') ?? '';
	const when = params.get('when');
	const language = params.get('lang') ?? '';
	const zone = params.get('zone') ?? '';
	return ok({
		specialty,
		region: region.code,
		kinds: readKinds(params),
		plan: findPlanType(plan) === undefined ? null : plan,
		planOnly: params.get('only') === '1' && findPlanType(plan) !== undefined,
		dayPart: isDayPart(when) ? when : 'any',
		language: languageShape.test(language) ? language : null,
		zone: region.timeZones.includes(zone) ? zone : region.defaultTimeZone,
		scheduleId
	});
};

/** U1: what `readSearch` reads back as the same search (without the provider, which is a path). */
export const writeSearch = (query: BoardQuery): string => {
	const params = new URLSearchParams({ specialty: query.specialty, region: query.region });
	for (const kind of query.kinds) params.append('kind', kind);
	if (query.plan !== null) params.set('plan', query.plan);
	if (query.planOnly) params.set('only', '1');
	if (query.dayPart !== 'any') params.set('when', query.dayPart);
	if (query.language !== null) params.set('lang', query.language);
	if (query.zone !== findRegion(query.region)?.defaultTimeZone) params.set('zone', query.zone);
	return params.toString();
};
