// Moving a visit in two steps that work without JavaScript: pick and hold a time of the same clinic,
// then say yes. The visit stands all the while.
import { error, fail, redirect, type Actions, type RequestEvent } from '@sveltejs/kit';
import { endOf, startOf } from '#domain/board.ts';
import type { BookingView } from '#domain/booking.ts';
import { HoldId } from '#domain/ids.ts';
import { refusals } from '#domain/refusals.ts';
import { explainLoss, placeHold, readSlotId, type Near } from '#lib/server/board-actions.ts';
import { newRequestId, requestIdFor } from '#lib/server/request-ids.ts';
import { readVisit, searchOf, visitIdOf } from '#lib/server/visit-page.ts';
import type { PageServerLoad } from './$types';

/** Open times looked through, and shown. */
const LOOKED_THROUGH = 40;
const SHOWN = 12;

const readTimes = async ({ locals }: RequestEvent, visit: BookingView): Promise<Near[]> => {
	const found = await locals.hub.nearestOpen(visit.slotId, null, LOOKED_THROUGH);
	return found
		.filter(({ schedule }) => schedule.organizationName === visit.organizationName)
		.slice(0, SHOWN)
		.map(({ slot, schedule }) => ({
			slotId: slot[0],
			startsAt: startOf(slot),
			name: schedule.practitionerName
		}));
};

/** The new time, while it is held. */
const readHeld = async ({ locals, url }: RequestEvent) => {
	const id = HoldId.safeParse(url.searchParams.get('hold'));
	if (!id.success) return null;
	const hold = await locals.hub.readHold(locals.visitor.device, id.data);
	if (!hold.ok || hold.value.state !== 'held') return null;
	const view = await locals.hub.readSlot(hold.value.slotId, null);
	if (!view.ok) return null;
	const { slot, schedule } = view.value;
	return {
		holdId: hold.value.id,
		startsAt: startOf(slot),
		endsAt: endOf(slot),
		practitionerName: schedule.practitionerName,
		organizationName: schedule.organizationName,
		zone: schedule.zone
	};
};

export const load: PageServerLoad = async (event) => {
	const visit = await readVisit(event);
	const { query, text: search } = searchOf(event);
	if (visit.state !== 'booked') redirect(303, `/visit/${visit.id}?${search}`);
	const held = await readHeld(event);
	const times = held === null ? await readTimes(event, visit) : [];
	const isOver = held === null && event.url.searchParams.has('hold');
	const zone = query?.zone ?? visit.zone;
	return { visit, held, times, isOver, zone, search, nonce: newRequestId() };
};

const text = (form: FormData, name: string): string => {
	const value = form.get(name);
	return typeof value === 'string' ? value : '';
};

const hold = async (event: RequestEvent) => {
	const { hub, visitor } = event.locals;
	const id = visitIdOf(event);
	const form = await event.request.formData();
	const slotId = readSlotId(form);
	if (slotId === null) return fail(400, { why: null, lost: null });
	const placed = await placeHold(hub, visitor.device, { slotId, nonce: text(form, 'nonce') });
	const search = searchOf(event);
	if (placed.ok) redirect(303, `/visit/${id}/move?hold=${placed.value.id}&${search.text}`);
	const lost = await explainLoss(hub, slotId, { reason: placed.reason, query: null });
	return fail(refusals[placed.reason].status, { why: null, lost });
};

const move = async (event: RequestEvent) => {
	const { hub, visitor } = event.locals;
	const bookingId = visitIdOf(event);
	const form = await event.request.formData();
	const holdId = HoldId.safeParse(form.get('holdId'));
	if (!holdId.success) error(404, 'not_yours');
	const requestId = requestIdFor(text(form, 'nonce'), `move ${bookingId} ${holdId.data}`);
	const moved = await hub.moveBooking(visitor.device, {
		bookingId,
		holdId: holdId.data,
		requestId
	});
	if (moved.ok) redirect(303, `/visit/${moved.value.id}?${searchOf(event).text}`);
	if (moved.reason === 'booking_unknown') error(404, 'not_yours');
	return fail(refusals[moved.reason].status, { why: moved.reason, lost: null });
};

/** Back to the times, or to the visit: what was held for it is free again. */
const release = async (event: RequestEvent) => {
	const { hub, visitor } = event.locals;
	const id = visitIdOf(event);
	const form = await event.request.formData();
	const holdId = HoldId.safeParse(form.get('holdId'));
	if (holdId.success) await hub.releaseHold(visitor.device, holdId.data);
	const next = text(form, 'next') === 'times' ? `/visit/${id}/move` : `/visit/${id}`;
	redirect(303, `${next}?${searchOf(event).text}`);
};

export const actions: Actions = { hold, move, release };
