// What a form beyond the quota of changes is answered with when no script sent it.
import { error } from '@sveltejs/kit';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = () => error(429, 'too_many_requests');
