// The start: finds the reason for the visit by plain names and synonyms, on the server.
import { redirect } from '@sveltejs/kit';
import { findRegion, specialties } from '#domain/codes.ts';
import { findReasons, groupReasons } from '#lib/reasons.ts';
import { regionChoices } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

export const csr = false;

const MAX_TEXT = 80;

export const load: PageServerLoad = ({ url }) => {
	const text = (url.searchParams.get('q') ?? '').trim().slice(0, MAX_TEXT);
	const region = findRegion(url.searchParams.get('region') ?? '')?.code ?? '';
	const chosen = url.searchParams.get('specialty');
	const found = findReasons(text);
	const [only] = found;
	if (text !== '' && found.length === 1 && only !== undefined && region !== '') {
		redirect(303, `/board?specialty=${only.id}&region=${region}`);
	}
	return {
		text,
		region,
		count: found.length,
		// Nothing found is no dead end: the whole list stands below.
		groups: groupReasons(found.length === 0 ? specialties : found),
		names: specialties.map(({ consumerName }) => consumerName),
		regions: regionChoices(),
		isRegionMissing: region === '' && (chosen !== null || text !== '')
	};
};
