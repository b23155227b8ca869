// The operator's view of the whole hub, and what can be done to a source at once. Opened by a
// private link only.
import { fail, redirect, type Actions } from '@sveltejs/kit';
import { refusals } from '#domain/refusals.ts';
import { PauseReason } from '#domain/source-desk.ts';
import { operatorOf } from '#lib/server/operator.ts';
import { byTrouble } from '#lib/trouble.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals }) => {
	operatorOf(locals);
	const status = await locals.hub.readStatus();
	return { status: { ...status, sources: status.sources.toSorted(byTrouble) } };
};

const textIn = (form: FormData, name: string): string => {
	const value = form.get(name);
	return typeof value === 'string' ? value : '';
};

export const actions: Actions = {
	pause: async ({ locals, request }) => {
		const by = operatorOf(locals);
		const form = await request.formData();
		const because = PauseReason.safeParse(textIn(form, 'because')).data ?? '';
		const done = await locals.hub.sources.pause(by, textIn(form, 'key'), because);
		return done.ok ? redirect(303, '/status') : fail(refusals[done.reason].status, {});
	},
	resume: async ({ locals, request }) => {
		const by = operatorOf(locals);
		const done = await locals.hub.sources.resume(by, textIn(await request.formData(), 'key'));
		return done.ok ? redirect(303, '/status') : fail(refusals[done.reason].status, {});
	}
};
