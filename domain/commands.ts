// Schemas of everything a person or program sends to the hub. Parsed once, at the edge.
import { z } from 'zod';
import { visitFor } from './booking.ts';
import { closings } from './closing.ts';
import { findPlanType, findRegion, findSpecialty, visitKinds } from './codes.ts';
import { BookingId, HoldId, RequestId, ScheduleId, SlotId } from './ids.ts';
import { isPatientRoom } from './room.ts';
import { isZone } from './zone.ts';

const specialty = z
	.string()
	.max(60)
	.refine((id) => findSpecialty(id) !== undefined, 'unknown_specialty');
const region = z
	.string()
	.max(8)
	.refine((code) => findRegion(code) !== undefined, 'unknown_region');
const plan = z
	.string()
	.max(40)
	.refine((id) => findPlanType(id) !== undefined, 'unknown_plan');
const zone = z.string().max(60).refine(isZone, 'not_a_zone');
const language = z.string().regex(/^[a-z]{2,3}$/, 'not_a_language');
const dayPart = z.enum(['any', 'morning', 'afternoon', 'evening']);
const kinds = z.array(z.enum(visitKinds)).max(3);

/** Query of the board as JSON (socket, API); defaults make the shortest search valid. */
export const BoardQueryInput = z
	.strictObject({
		specialty,
		region,
		kinds: kinds.default([]),
		plan: plan.nullable().default(null),
		planOnly: z.boolean().default(false),
		dayPart: dayPart.default('any'),
		language: language.nullable().default(null),
		zone: zone.optional(),
		scheduleId: ScheduleId.nullable().default(null)
	})
	.transform((q) => ({ ...q, zone: q.zone ?? findRegion(q.region)?.defaultTimeZone ?? 'UTC' }));

const room = z.string().max(80).refine(isPatientRoom, 'unknown_room');
const position = z.strictObject({ epoch: z.string().max(40), seq: z.int().min(0) });

export const JoinRoom = z.strictObject({
	room,
	have: position.optional(),
	query: BoardQueryInput.optional()
});
export const LeaveRoom = z.strictObject({ room });
export const ReadSchedules = z.strictObject({
	ids: z.array(ScheduleId).min(1).max(50),
	query: BoardQueryInput.optional()
});
export const JoinClinic = z.strictObject({ have: position.optional() });
export const AcknowledgeBooking = z.strictObject({ bookingId: BookingId });

export const PlaceHold = z.strictObject({ slotId: SlotId, requestId: RequestId });
export type PlaceHold = z.infer<typeof PlaceHold>;
export const ReleaseHold = z.strictObject({ holdId: HoldId });

const name = z.string().trim().min(1, 'required').max(80);
const optionalText = (max: number) =>
	z
		.string()
		.trim()
		.max(max)
		.transform((text) => (text === '' ? null : text))
		.nullable()
		.default(null);

export const PatientDetails = z.strictObject({
	givenName: name,
	familyName: name,
	bornOn: z.iso.date('not_a_date').refine((d) => d > '1900-01-01', 'not_a_date'),
	phone: z
		.string()
		.trim()
		.regex(/^\+?[0-9 ().-]{7,25}$/, 'not_a_phone_number'),
	email: z
		.union([z.literal('').transform(() => null), z.email('not_an_email').max(200)])
		.nullable()
		.default(null),
	reason: optionalText(500),
	planId: z
		.union([z.literal('').transform(() => null), plan])
		.nullable()
		.default(null),
	forWhom: z.enum(visitFor).default('me')
});

export const ConfirmBooking = z.strictObject({
	holdId: HoldId,
	requestId: RequestId,
	kind: z.enum(visitKinds).nullable().default(null),
	patient: PatientDetails
});
export type ConfirmBooking = z.infer<typeof ConfirmBooking>;

export const CancelBooking = z.strictObject({ bookingId: BookingId, requestId: RequestId });
export type CancelBooking = z.infer<typeof CancelBooking>;

/** `holdId`: the new time, held by the same device. */
export const MoveBooking = z.strictObject({
	bookingId: BookingId,
	holdId: HoldId,
	requestId: RequestId
});
export type MoveBooking = z.infer<typeof MoveBooking>;

export const OpenManageLink = z.strictObject({
	token: z.string().max(500),
	bornOn: z.iso.date('not_a_date')
});
export type OpenManageLink = z.infer<typeof OpenManageLink>;

/** `null`: patients can book there again. */
export const CloseSchedule = z.strictObject({ closing: z.enum(closings).nullable() });

/** A search, a provider (scheduleId), or a whole room (all else left open). */
const wish = () =>
	z
		.strictObject({
			requestId: RequestId,
			specialty,
			region,
			scheduleId: ScheduleId.nullable().default(null),
			kinds: kinds.default([]),
			plan: plan.nullable().default(null),
			language: language.nullable().default(null),
			dayPart: dayPart.default('any'),
			zone: zone.optional()
		})
		.transform((q) => ({ ...q, zone: q.zone ?? findRegion(q.region)?.defaultTimeZone ?? 'UTC' }));

export const SubscribeAlert = wish();
export type SubscribeAlert = z.infer<typeof SubscribeAlert>;

export const JoinWaiting = wish();
export type JoinWaiting = z.infer<typeof JoinWaiting>;
