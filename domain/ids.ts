// The identities of things. Rows of the public board are Postgres bigints, because 36-character
// UUIDs would burst the wire budget; what belongs to a person is an unguessable UUID.
import { z } from 'zod';

const rowId = z.int().positive();

export const SourceId = rowId.brand<'SourceId'>();
export type SourceId = z.infer<typeof SourceId>;
export const ScheduleId = rowId.brand<'ScheduleId'>();
export type ScheduleId = z.infer<typeof ScheduleId>;
export const SlotId = rowId.brand<'SlotId'>();
export type SlotId = z.infer<typeof SlotId>;
export const RoomId = rowId.brand<'RoomId'>();
export type RoomId = z.infer<typeof RoomId>;
export const EpisodeId = rowId.brand<'EpisodeId'>();
export type EpisodeId = z.infer<typeof EpisodeId>;

export const HoldId = z.uuid().brand<'HoldId'>();
export type HoldId = z.infer<typeof HoldId>;
export const BookingId = z.uuid().brand<'BookingId'>();
export type BookingId = z.infer<typeof BookingId>;
export const PatientId = z.uuid().brand<'PatientId'>();
export type PatientId = z.infer<typeof PatientId>;
export const MailId = z.uuid().brand<'MailId'>();
export type MailId = z.infer<typeof MailId>;
export const AlertSubscriptionId = z.uuid().brand<'AlertSubscriptionId'>();
export type AlertSubscriptionId = z.infer<typeof AlertSubscriptionId>;

export const WaitingId = z.uuid().brand<'WaitingId'>();
export type WaitingId = z.infer<typeof WaitingId>;

/** Made by the client before it sends, so that a repeated click is one effect (promises P5). */
export const RequestId = z.uuid().brand<'RequestId'>();
export type RequestId = z.infer<typeof RequestId>;

/** SHA-256 (hex) of a device's secret cookie: who owns a hold until accounts exist. */
export const DeviceKey = z
	.string()
	.regex(/^[0-9a-f]{64}$/)
	.brand<'DeviceKey'>();
export type DeviceKey = z.infer<typeof DeviceKey>;
