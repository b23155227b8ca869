// What a kept answer says today and what that would change, and the yes that applies it.
import { redirect, type Actions } from '@sveltejs/kit';
import { RereadId } from '#domain/reread.ts';
import { operatorOf } from '#lib/server/operator.ts';
import type { PageServerLoad } from './$types';

const pageOf = (key: string): string => `/status/again/${encodeURIComponent(key)}`;

export const load: PageServerLoad = async ({ locals, params }) => {
	operatorOf(locals);
	const id = RereadId.safeParse(params.id);
	const reread = id.success ? await locals.hub.sources.readReread(params.key, id.data) : null;
	if (reread === null) redirect(303, pageOf(params.key));
	return { key: params.key, reread };
};

export const actions: Actions = {
	apply: async ({ locals, params }) => {
		const by = operatorOf(locals);
		const key = params['key'] ?? '';
		const id = RereadId.safeParse(params['id']);
		if (!id.success) redirect(303, pageOf(key));
		await locals.hub.sources.applyReread(by, key, id.data);
		redirect(303, `${pageOf(key)}/${id.data}`);
	}
};
