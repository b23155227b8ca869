// A new source: the form, and the try that comes before it is saved.
import { fail, redirect, type Actions } from '@sveltejs/kit';
import { DraftId } from '#domain/source-desk.ts';
import { newSource, valuesOfSettings } from '#lib/source-fields.ts';
import { operatorOf } from '#lib/server/operator.ts';
import { readSourceForm } from '#lib/server/source-form.ts';
import type { PageServerLoad } from './$types';

/** A form of plain fields: it needs no scripts, and what is typed before they load stays. */
export const csr = false;

export const load: PageServerLoad = async ({ locals, url }) => {
	operatorOf(locals);
	const from = DraftId.safeParse(url.searchParams.get('from'));
	const draft = from.success ? await locals.hub.sources.readDraft(from.data) : null;
	return { values: draft?.ok === true ? valuesOfSettings(draft.value.settings) : newSource };
};

export const actions: Actions = {
	try: async ({ locals, request }) => {
		const by = operatorOf(locals);
		const wish = readSourceForm(await request.formData());
		if ('wrong' in wish) return fail(400, wish);
		const id = await locals.hub.sources.try(by, wish);
		return redirect(303, `/status/add/${id}`);
	}
};
