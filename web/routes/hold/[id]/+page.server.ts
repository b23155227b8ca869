// A held time: how long it lasts, the patient's details, confirm or let go. Losing it keeps what
// was typed and offers the nearest times.
import { error, fail, redirect, type Actions, type RequestEvent } from '@sveltejs/kit';
import { endOf, startOf, type BoardQuery } from '#domain/board.ts';
import type { ConfirmBooking } from '#domain/commands.ts';
import type { HoldView } from '#domain/hold.ts';
import { HoldId } from '#domain/ids.ts';
import { explainLoss, placeHold, readNear, readSlotId } from '#lib/server/board-actions.ts';
import { keepTyped } from '#lib/server/keep-typed.ts';
import { checkValues, readValues } from '#lib/server/patient-form.ts';
import { newRequestId, requestIdFor } from '#lib/server/request-ids.ts';
import { readLastVisit, writeLastVisit } from '#lib/server/last-visit.ts';
import { readSearch, writeSearch } from '#lib/search.ts';
import type { FieldName, FormValues } from '#lib/patient-fields.ts';
import { planChoices } from '#lib/search-words.ts';
import { toCard } from '#lib/page-board.ts';
import type { PageServerLoad } from './$types';

/** The search it came from; the hold does not depend on it. */
const searchOf = ({ url }: Pick<RequestEvent, 'url'>): BoardQuery | null => {
	const search = readSearch(url.searchParams);
	return search.ok ? search.value : null;
};

const holdIdOf = (text: unknown) => {
	const id = HoldId.safeParse(text);
	if (!id.success) error(404, 'not_yours');
	return id.data;
};

/** A hold with the time and the provider it is for, and what else the visitor has then. */
const describe = async (locals: App.Locals, hold: HoldView) => {
	const [view, overlaps] = await Promise.all([
		locals.hub.readSlot(hold.slotId, null),
		locals.hub.listOverlaps(locals.visitor.device, hold.id)
	]);
	if (!view.ok) error(404, 'not_yours');
	const { slot, schedule } = view.value;
	return { hold, startsAt: startOf(slot), endsAt: endOf(slot), card: toCard(schedule), overlaps };
};

export const load: PageServerLoad = async (event) => {
	const { hub, visitor } = event.locals;
	const found = await hub.readHold(visitor.device, holdIdOf(event.params.id));
	if (!found.ok) error(404, 'not_yours');
	const hold = found.value;
	const query = searchOf(event);
	const isOver = hold.state !== 'held';
	const isDone = hold.state === 'confirming' || hold.state === 'booked';
	const [held, near] = await Promise.all([
		describe(event.locals, hold),
		isOver && !isDone ? readNear(hub, hold.slotId, query) : []
	]);
	return {
		...held,
		near,
		search: query === null ? '' : writeSearch(query),
		plan: query?.plan ?? '',
		kind: query?.kinds.length === 1 ? (query.kinds[0] ?? '') : '',
		zone: query?.zone ?? held.card.zone,
		plans: planChoices(),
		lastVisit: isDone ? readLastVisit(event) : null,
		nonce: newRequestId(),
		isSavingData: event.locals.isSavingData
	};
};

const text = (form: FormData, name: string): string => {
	const value = form.get(name);
	return typeof value === 'string' ? value : '';
};

const bornLater: readonly FieldName[] = ['bornOn'];

/**
 * K3: an earlier tap got through, its answer was lost, and the words were changed since. The hold is
 * confirmed with the first ones, which the visitor must know.
 */
const sentBefore = async (event: RequestEvent, again: ConfirmBooking, values: FormValues) => {
	const { hub, visitor } = event.locals;
	const made = await hub.confirmBooking(visitor.device, { ...again, requestId: newRequestId() });
	const found = await hub.readHold(visitor.device, again.holdId);
	if (!made.ok || !found.ok) error(404, 'not_yours');
	writeLastVisit(event, made.value.id);
	const moved = await describe(event.locals, found.value);
	return fail(409, { values, moved, sentBefore: made.value.id });
};

const confirm = async (event: RequestEvent, form: FormData) => {
	const { hub, visitor } = event.locals;
	const values = readValues(form);
	const holdId = holdIdOf(form.get('holdId'));
	const requestId = requestIdFor(text(form, 'nonce'), `confirm ${holdId}`);
	const checked = checkValues(values, { holdId, requestId });
	const found = await hub.readHold(visitor.device, holdId);
	if (!found.ok) error(404, 'not_yours');
	// The time it is about may be another than the page's own: the visitor may have moved on.
	const moved = await describe(event.locals, found.value);
	if (!checked.ok) return fail(400, { values, wrong: checked.fields, moved });
	const made = await hub.confirmBooking(visitor.device, checked.value);
	if (made.ok) {
		writeLastVisit(event, made.value.id);
		redirect(303, `/visit/${made.value.id}${event.url.search.replace(/&?\/confirm=?/, '')}`);
	}
	// K20: all that the schema, which has no clock, could not know.
	if (made.reason === 'bad_request') return fail(400, { values, wrong: bornLater, moved });
	if (made.reason === 'request_reused') return await sentBefore(event, checked.value, values);
	if (made.reason === 'visit_limit') return fail(409, { values, moved, hasTooMany: true });
	const after = await hub.readHold(visitor.device, holdId);
	const isTaken = after.ok && after.value.isTaken;
	const ended = made.reason === 'hold_unknown' ? 'hold_expired' : made.reason;
	const reason = isTaken ? 'slot_taken' : ended;
	const lost = await explainLoss(hub, found.value.slotId, { reason, query: searchOf(event) });
	return fail(410, { values, lost, moved });
};

/** Another time instead, with everything typed kept. */
const move = async (event: RequestEvent, form: FormData) => {
	const { hub, visitor } = event.locals;
	const values = readValues(form);
	const slotId = readSlotId(form);
	if (slotId === null) return fail(400, { values });
	const placed = await placeHold(hub, visitor.device, { slotId, nonce: text(form, 'nonce') });
	if (placed.ok)
		return { values, moved: await describe(event.locals, placed.value), hasMoved: true };
	const lost = await explainLoss(hub, slotId, { reason: placed.reason, query: searchOf(event) });
	return fail(409, { values, lost });
};

/** H15: more time, once, with everything typed kept. */
const extend = async (event: RequestEvent, form: FormData) => {
	const { hub, visitor } = event.locals;
	const values = readValues(form);
	const holdId = holdIdOf(form.get('holdId'));
	const found = await hub.readHold(visitor.device, holdId);
	if (!found.ok) error(404, 'not_yours');
	const extended = await hub.extendHold(visitor.device, holdId);
	if (extended.ok) {
		return { values, moved: await describe(event.locals, extended.value), isExtended: true };
	}
	const moved = await describe(event.locals, found.value);
	if (extended.reason === 'hold_extended') return fail(409, { values, moved, isRefusedTime: true });
	const refusal = { reason: 'hold_expired' as const, query: searchOf(event) };
	return fail(410, { values, moved, lost: await explainLoss(hub, found.value.slotId, refusal) });
};

const release = async (event: RequestEvent) => {
	const { hub, visitor } = event.locals;
	const form = await event.request.formData();
	await hub.releaseHold(visitor.device, holdIdOf(form.get('holdId')));
	const query = searchOf(event);
	redirect(303, query === null ? '/' : `/board?${writeSearch(query)}`);
};

export const actions: Actions = {
	confirm: keepTyped(confirm),
	extend: keepTyped(extend),
	move: keepTyped(move),
	release
};
