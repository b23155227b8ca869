// The operator's view of the whole hub. Opened by a private link only.
import { error } from '@sveltejs/kit';
import { byTrouble } from '#lib/trouble.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals: { hub, visitor } }) => {
	if (visitor.staff?.role !== 'operator') error(403, 'private_link');
	const status = await hub.readStatus();
	return { status: { ...status, sources: status.sources.toSorted(byTrouble) } };
};
