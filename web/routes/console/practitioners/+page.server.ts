// Which of a clinic's practitioners take visits here: closing and opening their times, by plain forms.
import { fail, type Actions } from '@sveltejs/kit';
import { z } from 'zod';
import { closings } from '#domain/closing.ts';
import { ScheduleId } from '#domain/ids.ts';
import { clinicOf } from '#lib/server/clinic.ts';
import type { PageServerLoad } from './$types';

export const csr = false;

export const load: PageServerLoad = async ({ locals }) => ({
	schedules: await locals.hub.clinicSchedules.list(clinicOf(locals))
});

const Wish = z.object({
	schedule: z.union([z.literal('all'), z.coerce.number().pipe(ScheduleId)]),
	closing: z.enum(['open', ...closings])
});

export const actions: Actions = {
	close: async ({ locals, request }) => {
		const source = clinicOf(locals);
		const wish = Wish.safeParse(Object.fromEntries(await request.formData()));
		if (!wish.success) return fail(400, { unknown: true });
		const { schedule, closing } = wish.data;
		const done = await locals.hub.clinicSchedules.close(
			source,
			schedule === 'all' ? null : schedule,
			closing === 'open' ? null : closing
		);
		return done.ok ? { done: schedule } : fail(404, { unknown: true });
	}
};
