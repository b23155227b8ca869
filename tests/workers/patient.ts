// A patient at the hub's use cases: holds, confirms, looks. No page and no socket between.
import { randomBytes, randomUUID } from 'node:crypto';
import type { BookingView } from '#domain/booking.ts';
import { BookingId, DeviceKey, HoldId, RequestId, SlotId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { createPhiCipher } from '#server/platform/phi.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createHubApi } from '#server/scheduling/hub-api.ts';
import { systemClock } from '#server/platform/clock.ts';
import type { Queues } from '#workers/queues.ts';
import type { System } from '../support/system.ts';
import { makeDesk } from '../scheduling/world.ts';

/** Planted where patient data may be, looked for where it may not. */
export const canary = 'Xylophonia-Quetzalcoatl';

export const canaryEmail = 'xylophonia-quetzalcoatl@example.org';

export type Patient = {
	/** Holds an open time of this clinic; returns it. */
	hold: (clinicKey: string, ttlMs?: number) => Promise<{ holdId: string; slotId: SlotId }>;
	/** Holds and confirms. */
	book: (clinicKey: string) => Promise<BookingId>;
	cancel: (bookingId: BookingId) => Promise<void>;
	/** Holds another open time of this clinic and moves the visit there. */
	move: (bookingId: BookingId, clinicKey: string) => Promise<BookingId>;
	look: (bookingId: BookingId) => Promise<BookingView>;
};

const details = {
	givenName: canary,
	familyName: 'Martinez',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0100',
	email: canaryEmail,
	reason: canary,
	planId: null,
	forWhom: 'me' as const
};

/** `queues` null = Redis is not there: bookings are only in Postgres. */
export const createPatient = (system: System, queues: Queues | null): Patient => {
	const { sql } = system.database;
	const config = parseConfig({ HUB_MODE: 'development', DATABASE_URL: system.database.url });
	const device = DeviceKey.parse(randomBytes(32).toString('hex'));
	const apiOf = (holdTtlMs: number) =>
		createHubApi({
			sql,
			publish: () => {},
			clock: systemClock,
			linkKey: config.linkKey,
			publicUrl: config.publicUrl,
			phi: createPhiCipher(new Map(config.phiKeys.map(({ id, key }) => [id, key]))),
			enqueueBooking: async (id, round) => void (await queues?.addBooking(id, 0, 0, round)),
			addAlerts: async () => true,
			queueStatus: async () => null,
			socketCounts: () => ({ patients: 0, providers: 0, rooms: 0 }),
			feedLagMs: () => null,
			sources: makeDesk(sql),
			config: { ...config, holdTtlMs, maxVisitsPerPerson: 1_000 }
		});
	const hold: Patient['hold'] = async (clinicKey, ttlMs = 300_000) => {
		const [open] = await sql<{ id: SlotId }[]>`
			select s.id from slots s join sources o on o.id = s.source_id
			where o.key = ${clinicKey} and s.status = 'free' and s.removed_at is null
				and s.remaining > 0 and s.capacity = 1 and cardinality(s.claim_fences) = 0
				and s.starts_at > now() + interval '1 day'
			order by random() limit 1`;
		const slotId = SlotId.parse(must(open, 'an open time').id);
		const requestId = RequestId.parse(randomUUID());
		const held = await apiOf(ttlMs).placeHold(device, { slotId, requestId });
		if (!held.ok) throw new Error(`no hold: ${held.reason}`);
		return { holdId: held.value.id, slotId };
	};
	const api = apiOf(300_000);
	return {
		hold,
		book: async (clinicKey) => {
			const { holdId } = await hold(clinicKey);
			const confirmed = await api.confirmBooking(device, {
				holdId: holdId as never,
				requestId: RequestId.parse(randomUUID()),
				kind: null,
				patient: details
			});
			if (!confirmed.ok) throw new Error(`not confirmed: ${confirmed.reason}`);
			return BookingId.parse(confirmed.value.id);
		},
		cancel: async (bookingId) => {
			const requestId = RequestId.parse(randomUUID());
			const asked = await api.cancelBooking(device, { bookingId, requestId });
			if (!asked.ok) throw new Error(`not asked to cancel: ${asked.reason}`);
		},
		move: async (bookingId, clinicKey) => {
			const { holdId } = await hold(clinicKey);
			const requestId = RequestId.parse(randomUUID());
			const asked = { bookingId, holdId: HoldId.parse(holdId), requestId };
			const moved = await api.moveBooking(device, asked);
			if (!moved.ok) throw new Error(`not moved: ${moved.reason}`);
			return moved.value.id;
		},
		look: async (bookingId) => {
			const found = await api.readBooking(device, bookingId);
			if (!found.ok) throw new Error(`no booking: ${found.reason}`);
			return found.value;
		}
	};
};
