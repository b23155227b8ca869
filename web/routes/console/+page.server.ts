// One clinic's bookings and holds. Opened by a private link only; names come from encrypted rows.
import { error, fail, type Actions } from '@sveltejs/kit';
import { BookingId } from '#domain/ids.ts';
import { refusals } from '#domain/refusals.ts';
import { clinicOf } from '#lib/server/clinic.ts';
import type { PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ locals }) => {
	const sourceId = clinicOf(locals);
	const [found, schedules, calendarSince] = await Promise.all([
		locals.hub.readClinic(sourceId),
		locals.hub.clinicSchedules.list(sourceId),
		locals.hub.clinicCalendars.since(sourceId)
	]);
	if (!found.ok) error(403, 'private_link');
	const closedCount = schedules.filter(({ closing }) => closing !== null).length;
	return { clinic: found.value, closedCount, calendarSince };
};

export const actions: Actions = {
	seen: async ({ locals, request }) => {
		const sourceId = clinicOf(locals);
		const id = BookingId.safeParse((await request.formData()).get('bookingId'));
		if (id.success) await locals.hub.acknowledgeBooking(sourceId, id.data);
		return {};
	},
	/** The address is in this one answer only. */
	makeCalendar: async ({ locals }) => ({
		calendarUrl: await locals.hub.clinicCalendars.make(clinicOf(locals))
	}),
	endCalendar: async ({ locals }) => {
		await locals.hub.clinicCalendars.end(clinicOf(locals));
		return { hasEndedCalendar: true };
	},
	decline: async ({ locals, request }) => {
		const sourceId = clinicOf(locals);
		const id = BookingId.safeParse((await request.formData()).get('bookingId'));
		if (!id.success) return {};
		const asked = await locals.hub.declineBooking(sourceId, id.data);
		return asked.ok ? {} : fail(refusals[asked.reason].status, { kept: asked.reason });
	}
};
