// What one device owns: its holds, bookings and alerts. All of it is personal and never stored on
// the way; who asks is the device cookie, never something in the address.
import { Router } from 'express';
import type { Request, Response } from 'express';
import { z } from 'zod';
import {
	CancelBooking,
	ConfirmBooking,
	JoinWaiting,
	MoveBooking,
	OpenManageLink,
	PlaceHold,
	SubscribeAlert
} from '#domain/commands.ts';
import { AlertSubscriptionId, BookingId, HoldId, WaitingId } from '#domain/ids.ts';
import { parse, sendRefusal, sendResult } from './problem.ts';

/** Nearest open times told to the one who lost a race. */
const NEAREST = 5;

/** Structured-field string (`"…"`) as the draft has it, or the bare id that most clients send. */
const idempotencyKey = (req: Request): string | undefined =>
	req.get('Idempotency-Key')?.replace(/^"(.*)"$/, '$1');

/**
 * Body of a command; `Idempotency-Key` stands for `requestId` when the body has none. Other things
 * than objects are handed on as they are, for the schema to refuse.
 */
const commandOf = (req: Request, more: Record<string, unknown> = {}): unknown => {
	const body: unknown = req.body;
	if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
	const key = idempotencyKey(req);
	return { ...(key === undefined ? {} : { requestId: key }), ...body, ...more };
};

const holdRoutes = (router: Router): void => {
	router.get('/holds', async (req, res) => {
		const value = await req.hub.listHolds(req.visitor.device);
		sendResult(res, { ok: true, value });
	});

	router.post('/holds', async (req, res) => {
		const command = parse(res, PlaceHold, commandOf(req));
		if (command === null) return;
		const placed = await req.hub.placeHold(req.visitor.device, command);
		if (placed.ok) {
			res.location(`/api/v1/holds/${placed.value.id}`);
			sendResult(res, placed, 201);
			return;
		}
		const isLost = ['slot_taken', 'slot_gone', 'too_soon'].includes(placed.reason);
		const nearest = isLost ? await req.hub.nearestOpen(command.slotId, null, NEAREST) : null;
		const details = nearest === null ? placed.details : { ...placed.details, nearest };
		sendRefusal(res, placed.reason, details);
	});

	router.get('/holds/:id', async (req, res) => {
		const id = HoldId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'hold_unknown');
		else sendResult(res, await req.hub.readHold(req.visitor.device, id.data));
	});

	router.delete('/holds/:id', async (req, res) => {
		const id = HoldId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'hold_unknown');
		else sendResult(res, await req.hub.releaseHold(req.visitor.device, id.data));
	});

	router.post('/holds/:id/extend', async (req, res) => {
		const id = HoldId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'hold_unknown');
		else sendResult(res, await req.hub.extendHold(req.visitor.device, id.data));
	});

	router.post('/holds/:id/confirm', async (req, res) => {
		const input = commandOf(req, { holdId: req.params.id });
		const command = parse(res, ConfirmBooking, input);
		if (command === null) return;
		const confirmed = await req.hub.confirmBooking(req.visitor.device, command);
		if (confirmed.ok) res.location(`/api/v1/bookings/${confirmed.value.id}`);
		sendResult(res, confirmed, 202);
	});
};

/** ms; how long at most is the hub's to say. */
const Wait = z.coerce.number().int().min(0).catch(0);

const bookingRoutes = (router: Router): void => {
	router.get('/bookings/:id', async (req, res) => {
		const id = BookingId.safeParse(req.params.id);
		if (!id.success) {
			sendRefusal(res, 'booking_unknown');
			return;
		}
		const waitMs = Wait.parse(req.query['waitMs'] ?? 0);
		const { hub, visitor } = req;
		const found =
			waitMs === 0
				? await hub.readBooking(visitor.device, id.data)
				: await hub.awaitBooking(visitor.device, id.data, waitMs);
		sendResult(res, found);
	});

	router.get('/bookings/:id/visit.ics', async (req, res) => {
		const id = BookingId.safeParse(req.params.id);
		if (!id.success) {
			sendRefusal(res, 'booking_unknown');
			return;
		}
		const file = await req.hub.calendarFile(req.visitor.device, id.data);
		if (!file.ok) {
			sendRefusal(res, file.reason);
			return;
		}
		res
			.set({
				'Cache-Control': 'no-store',
				'Content-Type': 'text/calendar; charset=utf-8',
				'Content-Disposition': 'attachment; filename="visit.ics"'
			})
			.send(file.value);
	});
};

const changeRoutes = (router: Router): void => {
	/** A command about the booking of the path; whatever is no id is nobody's booking. */
	const about = <T>(req: Request, res: Response, schema: z.ZodType<T>): T | null => {
		const bookingId = req.params['id'];
		if (BookingId.safeParse(bookingId).success) {
			return parse(res, schema, commandOf(req, { bookingId }));
		}
		sendRefusal(res, 'booking_unknown');
		return null;
	};

	router.post('/bookings/:id/cancel', async (req, res) => {
		const command = about(req, res, CancelBooking);
		if (command === null) return;
		sendResult(res, await req.hub.cancelBooking(req.visitor.device, command), 202);
	});

	router.get('/bookings/:id/manage-link', async (req, res) => {
		const id = BookingId.safeParse(req.params.id);
		if (!id.success) {
			sendRefusal(res, 'booking_unknown');
			return;
		}
		const url = await req.hub.manageLink(req.visitor.device, id.data);
		sendResult(res, url.ok ? { ok: true, value: { url: url.value } } : url);
	});

	router.post('/manage', async (req, res) => {
		const command = parse(res, OpenManageLink, req.body);
		if (command === null) return;
		sendResult(res, await req.hub.openManageLink(req.visitor.device, command));
	});

	router.post('/bookings/:id/move', async (req, res) => {
		const command = about(req, res, MoveBooking);
		if (command === null) return;
		const moved = await req.hub.moveBooking(req.visitor.device, command);
		if (moved.ok) res.location(`/api/v1/bookings/${moved.value.id}`);
		sendResult(res, moved, 202);
	});
};

const alertRoutes = (router: Router): void => {
	router.get('/alerts', async (req, res) => {
		const { device } = req.visitor;
		const [subscriptions, notices] = await Promise.all([
			req.hub.listAlerts(device),
			req.hub.listNotices(device)
		]);
		sendResult(res, { ok: true, value: { subscriptions, notices } });
	});

	router.post('/alerts', async (req, res) => {
		const command = parse(res, SubscribeAlert, commandOf(req));
		if (command === null) return;
		const added = await req.hub.subscribeAlert(req.visitor.device, command);
		if (added.ok) res.location(`/api/v1/alerts/${added.value.id}`);
		sendResult(res, added, 201);
	});

	router.delete('/alerts/:id', async (req, res) => {
		const id = AlertSubscriptionId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'subscription_unknown');
		else sendResult(res, await req.hub.unsubscribeAlert(req.visitor.device, id.data));
	});
};

const waitingRoutes = (router: Router): void => {
	router.get('/waiting', async (req, res) => {
		const value = await req.hub.listWaiting(req.visitor.device);
		sendResult(res, { ok: true, value });
	});

	router.post('/waiting', async (req, res) => {
		const command = parse(res, JoinWaiting, commandOf(req));
		if (command === null) return;
		const joined = await req.hub.joinWaiting(req.visitor.device, command);
		if (joined.ok) res.location(`/api/v1/waiting/${joined.value.id}`);
		sendResult(res, joined, 201);
	});

	router.delete('/waiting/:id', async (req, res) => {
		const id = WaitingId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'waiting_unknown');
		else sendResult(res, await req.hub.leaveWaiting(req.visitor.device, id.data));
	});

	router.post('/waiting/:id/resume', async (req, res) => {
		const id = WaitingId.safeParse(req.params.id);
		if (!id.success) sendRefusal(res, 'waiting_unknown');
		else sendResult(res, await req.hub.resumeWaiting(req.visitor.device, id.data));
	});
};

export const patientRoutes = (): Router => {
	const router = Router();
	holdRoutes(router);
	bookingRoutes(router);
	changeRoutes(router);
	alertRoutes(router);
	waitingRoutes(router);
	return router;
};
