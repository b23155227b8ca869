// What a tried source said, and the yes or no that follows.
import { error, fail, redirect, type Actions } from '@sveltejs/kit';
import { refusals } from '#domain/refusals.ts';
import { DraftId, givesNothing } from '#domain/source-desk.ts';
import { operatorOf } from '#lib/server/operator.ts';
import type { PageServerLoad } from './$types';

const idOf = ({ id }: Partial<Record<string, string>>): DraftId => {
	const parsed = DraftId.safeParse(id);
	if (!parsed.success) error(404, 'missing');
	return parsed.data;
};

export const load: PageServerLoad = async ({ locals, params }) => {
	operatorOf(locals);
	const draft = await locals.hub.sources.readDraft(idOf(params));
	if (!draft.ok) redirect(303, '/status/add');
	const { id, settings, hasSecret, report } = draft.value;
	return { id, name: settings.name, hasSecret, report, isEmpty: givesNothing(report) };
};

export const actions: Actions = {
	save: async ({ locals, params, request }) => {
		const by = operatorOf(locals);
		const anyway = (await request.formData()).get('anyway') === 'yes';
		const added = await locals.hub.sources.add(by, idOf(params), anyway);
		if (added.ok) redirect(303, '/status');
		return fail(refusals[added.reason].status, { why: added.reason });
	}
};
