// A source that is tried: how far it is, what it said, and the yes or no that follows.
import { error, fail, redirect, type Actions } from '@sveltejs/kit';
import { refusals } from '#domain/refusals.ts';
import { DraftId, givesNothing, mayTryAgain } from '#domain/source-desk.ts';
import { operatorOf } from '#lib/server/operator.ts';
import type { PageServerLoad } from './$types';

const idOf = ({ id }: Partial<Record<string, string>>): DraftId => {
	const parsed = DraftId.safeParse(id);
	if (!parsed.success) error(404, 'missing');
	return parsed.data;
};

export const load: PageServerLoad = async ({ locals, params }) => {
	operatorOf(locals);
	const found = await locals.hub.sources.readDraft(idOf(params));
	if (!found.ok) redirect(303, '/status/add');
	const { settings, ...draft } = found.value;
	const { name, key, kind, url } = settings;
	const isEmpty = draft.report !== null && givesNothing(draft.report);
	return { name, key, kind, url, draft, isEmpty, mayTryAgain: mayTryAgain(draft) };
};

export const actions: Actions = {
	again: async ({ locals, params }) => {
		const by = operatorOf(locals);
		const id = idOf(params);
		await locals.hub.sources.tryAgain(by, id);
		redirect(303, `/status/add/${id}`);
	},
	save: async ({ locals, params, request }) => {
		const by = operatorOf(locals);
		const anyway = (await request.formData()).get('anyway') === 'yes';
		const added = await locals.hub.sources.add(by, idOf(params), anyway);
		if (added.ok) redirect(303, '/status');
		return fail(refusals[added.reason].status, { why: added.reason });
	}
};
