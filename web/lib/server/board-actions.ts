// What can be asked for from a page of open times: hold one, give one back, tell me, save data.
import { fail, redirect, type RequestEvent } from '@sveltejs/kit';
import type { HubApi } from '#domain/api.ts';
import { startOf, type BoardQuery } from '#domain/board.ts';
import { HoldId, ScheduleId, SlotId, type DeviceKey } from '#domain/ids.ts';
import type { HoldView } from '#domain/hold.ts';
import type { HoldRefusal } from '#domain/protocol.ts';
import { refusals } from '#domain/refusals.ts';
import type { Result } from '#domain/result.ts';
import type { Instant } from '#domain/time.ts';
import { writeSaver } from '../data-saver.ts';
import { writeSearch } from '../search.ts';
import { newRequestId, requestIdFor } from './request-ids.ts';

/** A time near the lost one. */
export type Near = {
	readonly slotId: SlotId;
	readonly startsAt: Instant;
	readonly name: string;
};

export type Lost = {
	readonly reason: HoldRefusal;
	/** The lost time itself; null when the hub does not know it any more. */
	readonly startsAt: Instant | null;
	readonly near: readonly Near[];
};

const NEAREST = 3;

export const readNear = async (
	hub: HubApi,
	slotId: SlotId,
	query: BoardQuery | null
): Promise<readonly Near[]> => {
	const found = await hub.nearestOpen(slotId, query, NEAREST);
	return found.map(({ slot, schedule }) => ({
		slotId: slot[0],
		startsAt: startOf(slot),
		name: schedule.practitionerName
	}));
};

const text = (form: FormData, name: string): string => {
	const value = form.get(name);
	return typeof value === 'string' ? value : '';
};

export const readSlotId = (form: FormData): SlotId | null =>
	SlotId.safeParse(Number(text(form, 'slot'))).data ?? null;

/**
 * A page that was gone back to sends its old id again. The hub then answers with the old hold; if
 * that one is over, a fresh tap means a fresh hold.
 */
export const placeHold = async (
	hub: HubApi,
	device: DeviceKey,
	{ slotId, nonce }: { readonly slotId: SlotId; readonly nonce: string }
): Promise<Result<HoldView, HoldRefusal>> => {
	const first = await hub.placeHold(device, {
		slotId,
		requestId: requestIdFor(nonce, `hold ${slotId}`)
	});
	const isOver = first.ok ? first.value.state !== 'held' : first.reason === 'request_reused';
	return isOver ? await hub.placeHold(device, { slotId, requestId: newRequestId() }) : first;
};

export const explainLoss = async (
	hub: HubApi,
	slotId: SlotId,
	{ reason, query }: { readonly reason: HoldRefusal; readonly query: BoardQuery | null }
): Promise<Lost> => {
	const [view, near] = await Promise.all([
		hub.readSlot(slotId, null),
		readNear(hub, slotId, query)
	]);
	return { reason, startsAt: view.ok ? startOf(view.value.slot) : null, near };
};

export const holdAction = async (event: RequestEvent, query: BoardQuery) => {
	const { hub, visitor } = event.locals;
	const form = await event.request.formData();
	const slotId = readSlotId(form);
	if (slotId === null) return fail(400, { problem: 'bad_request' as const });
	const nonce = text(form, 'nonce');
	const placed = await placeHold(hub, visitor.device, { slotId, nonce });
	if (placed.ok) redirect(303, `/hold/${placed.value.id}?${writeSearch(query)}`);
	const lost = await explainLoss(hub, slotId, { reason: placed.reason, query });
	return fail(refusals[placed.reason].status, { lost });
};

export const releaseAction = async (event: RequestEvent) => {
	const { hub, visitor } = event.locals;
	const form = await event.request.formData();
	const holdId = HoldId.safeParse(form.get('holdId'));
	if (holdId.success) await hub.releaseHold(visitor.device, holdId.data);
	return { released: true };
};

const criteriaOf = (query: BoardQuery, form: FormData) => {
	const { specialty, region, zone } = query;
	const open = { specialty, region, zone, dayPart: 'any' as const, plan: null, language: null };
	const scheduleId = ScheduleId.safeParse(Number(text(form, 'scheduleId'))).data ?? null;
	if (scheduleId !== null || text(form, 'scope') === 'room') {
		return { ...open, kinds: [], scheduleId };
	}
	const { kinds, plan, language, dayPart } = query;
	return { ...open, kinds: [...kinds], plan, language, dayPart, scheduleId };
};

export const tellAction = async (event: RequestEvent, query: BoardQuery) => {
	const { hub, visitor } = event.locals;
	const form = await event.request.formData();
	const criteria = criteriaOf(query, form);
	const requestId = requestIdFor(text(form, 'nonce'), `tell ${JSON.stringify(criteria)}`);
	const made = await hub.subscribeAlert(visitor.device, { ...criteria, requestId });
	if (made.ok) return { told: true };
	return fail(refusals[made.reason].status, { tellProblem: made.reason });
};

/** Stands in line for what the page searches, or for one provider. */
export const waitAction = async (event: RequestEvent, query: BoardQuery) => {
	const { hub, visitor } = event.locals;
	const form = await event.request.formData();
	const criteria = criteriaOf(query, form);
	const requestId = requestIdFor(text(form, 'nonce'), `wait ${JSON.stringify(criteria)}`);
	const joined = await hub.joinWaiting(visitor.device, { ...criteria, requestId });
	if (joined.ok) redirect(303, '/waiting');
	return fail(refusals[joined.reason].status, { tellProblem: joined.reason });
};

export const saverAction = async (event: RequestEvent) => {
	const form = await event.request.formData();
	const isOn = text(form, 'saver') === 'on';
	writeSaver(event, isOn);
	// The answer to this very request is drawn with what was just chosen.
	event.locals.isSavingData = isOn;
	return {};
};
