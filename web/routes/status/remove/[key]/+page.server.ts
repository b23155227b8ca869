// "Are you sure?": a page of its own, so that removing takes two steps without JavaScript too.
import { error, redirect, type Actions } from '@sveltejs/kit';
import { operatorOf } from '#lib/server/operator.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params }) => {
	operatorOf(locals);
	const weighed = await locals.hub.sources.weigh(params.key);
	if (!weighed.ok) error(404, 'missing');
	return weighed.value;
};

export const actions: Actions = {
	remove: async ({ locals, params }) => {
		const by = operatorOf(locals);
		// Gone already is gone.
		await locals.hub.sources.remove(by, params['key'] ?? '');
		redirect(303, '/status');
	}
};
