// What a private link opens: one clinic's console, or the operator's status.
import { Router } from 'express';
import { z } from 'zod';
import { CloseSchedule } from '#domain/commands.ts';
import { BookingId, ScheduleId } from '#domain/ids.ts';
import { ok } from '#domain/result.ts';
import { parse, sendRefusal, sendResult } from './problem.ts';

/** `all` = every schedule of the clinic. */
const ScheduleOrAll = z.union([
	z.literal('all').transform(() => null),
	z.coerce.number().pipe(ScheduleId)
]);

export const staffRoutes = (): Router => {
	const router = Router();

	router.get('/clinic', async (req, res) => {
		const { staff } = req.visitor;
		if (staff?.role !== 'clinic') sendRefusal(res, 'not_allowed');
		else sendResult(res, await req.hub.readClinic(staff.sourceId));
	});

	router.post('/clinic/bookings/:id/acknowledge', async (req, res) => {
		const { staff } = req.visitor;
		const id = BookingId.safeParse(req.params.id);
		if (staff?.role !== 'clinic') sendRefusal(res, 'not_allowed');
		else if (!id.success) sendRefusal(res, 'booking_unknown');
		else sendResult(res, await req.hub.acknowledgeBooking(staff.sourceId, id.data));
	});

	router.post('/clinic/bookings/:id/decline', async (req, res) => {
		const { staff } = req.visitor;
		const id = BookingId.safeParse(req.params.id);
		if (staff?.role !== 'clinic') sendRefusal(res, 'not_allowed');
		else if (!id.success) sendRefusal(res, 'booking_unknown');
		else sendResult(res, await req.hub.declineBooking(staff.sourceId, id.data), 202);
	});

	router.get('/clinic/schedules', async (req, res) => {
		const { staff } = req.visitor;
		if (staff?.role !== 'clinic') sendRefusal(res, 'not_allowed');
		else sendResult(res, ok(await req.hub.clinicSchedules.list(staff.sourceId)));
	});

	router.put('/clinic/schedules/:id/closing', async (req, res) => {
		const { staff } = req.visitor;
		const schedule = ScheduleOrAll.safeParse(req.params.id);
		if (staff?.role !== 'clinic') {
			sendRefusal(res, 'not_allowed');
			return;
		}
		if (!schedule.success) {
			sendRefusal(res, 'schedule_unknown');
			return;
		}
		const wish = parse(res, CloseSchedule, req.body);
		if (wish === null) return;
		const { clinicSchedules } = req.hub;
		sendResult(res, await clinicSchedules.close(staff.sourceId, schedule.data, wish.closing));
	});

	router.get('/status', async (req, res) => {
		if (req.visitor.staff?.role !== 'operator') sendRefusal(res, 'not_allowed');
		else sendResult(res, ok(await req.hub.readStatus()));
	});

	return router;
};
