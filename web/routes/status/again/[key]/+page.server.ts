// Which answers of a source are kept; one of them is read again by a worker.
import { error, redirect, type Actions } from '@sveltejs/kit';
import { operatorOf } from '#lib/server/operator.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals, params }) => {
	operatorOf(locals);
	const kept = await locals.hub.sources.kept(params.key);
	if (!kept.ok) error(404, 'missing');
	return { key: params.key, ...kept.value };
};

/** The number of the answer in the form; null for anything else. */
const genIn = (form: FormData): number | null => {
	const text = form.get('gen');
	return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null;
};

export const actions: Actions = {
	read: async ({ locals, params, request }) => {
		const by = operatorOf(locals);
		const key = params['key'] ?? '';
		const page = `/status/again/${encodeURIComponent(key)}`;
		const gen = genIn(await request.formData());
		const asked = gen === null ? null : await locals.hub.sources.reread(by, key, gen);
		// What is kept no longer is not in the list any more.
		redirect(303, asked?.ok === true ? `${page}/${asked.value}` : page);
	}
};
