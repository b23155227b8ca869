// Where a private link leads that has run out, or was never ours.
import { error } from '@sveltejs/kit';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = () => error(403, 'link_expired');
