// The start: finds the reason for the visit by plain names and synonyms, on the server.
import { setTimeout as wait } from 'node:timers/promises';
import { redirect, type RequestEvent } from '@sveltejs/kit';
import type { ComingVisit } from '#domain/booking.ts';
import { specialties } from '#domain/codes.ts';
import { findReasons, groupReasons } from '#lib/reasons.ts';
import { regionIn } from '#lib/search.ts';
import { regionChoices } from '#lib/search-words.ts';
import type { PageServerLoad } from './$types';

export const csr = false;

const MAX_TEXT = 80;
/** The start needs no database: without one it comes all the same, and says nothing of visits. */
const VISITS_WITHIN_MS = 1_000;

const visitsOf = async ({
	hub,
	visitor
}: RequestEvent['locals']): Promise<readonly ComingVisit[]> =>
	await Promise.race([
		hub.listVisits(visitor.device).catch(() => []),
		wait(VISITS_WITHIN_MS, [], { ref: false })
	]);

export const load: PageServerLoad = async ({ url, locals }) => {
	const text = (url.searchParams.get('q') ?? '').trim().slice(0, MAX_TEXT);
	const region = regionIn(url.searchParams)?.code ?? '';
	const chosen = url.searchParams.get('specialty');
	const found = findReasons(text);
	const [only] = found;
	if (text !== '' && found.length === 1 && only !== undefined && region !== '') {
		redirect(303, `/board?specialty=${only.id}&region=${region}`);
	}
	return {
		visits: await visitsOf(locals),
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
