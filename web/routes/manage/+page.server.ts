// The way back to a visit from a link: nothing of the visit is shown before the date of birth.
import { fail, redirect, type Actions } from '@sveltejs/kit';
import { OpenManageLink } from '#domain/commands.ts';
import { refusals } from '#domain/refusals.ts';
import type { PageServerLoad } from './$types';

/** Longer tokens are not ours. */
const MAX_TOKEN_CHARACTERS = 500;

export const load: PageServerLoad = async ({ locals, url, setHeaders }) => {
	setHeaders({ 'x-robots-tag': 'noindex' });
	const token = (url.searchParams.get('token') ?? '').slice(0, MAX_TOKEN_CHARACTERS);
	const checked = await locals.hub.checkManageLink(token);
	return { token, closed: checked.ok ? null : checked.reason };
};

export const actions: Actions = {
	open: async ({ locals, request }) => {
		const form = await request.formData();
		const bornOn = form.get('bornOn');
		const command = OpenManageLink.safeParse({
			token: form.get('token'),
			bornOn: typeof bornOn === 'string' ? bornOn.trim() : null
		});
		if (!command.success) return fail(400, { why: 'not_a_date' as const, left: null });
		const opened = await locals.hub.openManageLink(locals.visitor.device, command.data);
		if (opened.ok) redirect(303, `/visit/${opened.value.bookingId}`);
		const left = opened.details?.['left'];
		return fail(refusals[opened.reason].status, {
			why: opened.reason,
			left: typeof left === 'number' ? left : null
		});
	}
};
