// Where the times come from: every clinic's state in plain words, for one region or all.
import { openTimesOf, standingOf } from '#domain/coverage.ts';
import { regionIn } from '#lib/search.ts';
import { regionChoices, regionWord } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

export const csr = false;

export const load: PageServerLoad = async ({ locals, url }) => {
	const region = regionIn(url.searchParams)?.code ?? null;
	const { asOf, sources } = await locals.hub.readCoverage(region);
	return {
		asOf,
		region: region ?? '',
		regionName: region === null ? '' : regionWord(region),
		regions: regionChoices(),
		sources: sources.map((source) => ({
			...source,
			standing: standingOf(source, asOf),
			openTimes: openTimesOf(source, asOf)
		}))
	};
};
