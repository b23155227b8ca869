// The manage link: what it names, who gets in with it, how often it may be tried, and what then works.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_LINK_TRIES } from '#domain/booking.ts';
import type { BookingId, DeviceKey } from '#domain/ids.ts';
import { DAY_MS, toInstant } from '#domain/time.ts';
import { signToken } from '#server/platform/signed-token.ts';
import { readManageToken } from '#server/scheduling/manage-token.ts';
import { verifyAudit } from '#server/store/audit.ts';
import { settleBooking } from '#server/store/bookings.ts';
import { createWorld, linkKey, makeConfirm, makeDevice, makeRequest, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

const bornOn = '1961-05-23';
const yes = { state: 'booked', appointmentId: 'a-1', joinUrl: null } as const;

const booked = async () => {
	const slotId = await world.addSlot(world.scheduleId);
	const { device, id } = await world.hold(slotId);
	const made = await world.api.confirmBooking(device, makeConfirm(id));
	if (!made.ok) throw new Error(made.reason);
	await settleBooking(world.sql, made.value.id, yes);
	return { device, bookingId: made.value.id };
};

const tokenOf = async (device: DeviceKey, bookingId: BookingId): Promise<string> => {
	const link = await world.api.manageLink(device, bookingId);
	if (!link.ok) throw new Error(link.reason);
	return new URL(link.value).searchParams.get('token') ?? '';
};

const stateFor = async (device: DeviceKey, bookingId: BookingId): Promise<string> => {
	const found = await world.api.readBooking(device, bookingId);
	return found.ok ? found.value.state : found.reason;
};

test('[J18] a link names neither visit nor person, and is the same each time', async () => {
	const { device, bookingId } = await booked();
	const link = await world.api.manageLink(device, bookingId);
	expect(link).toEqual(await world.api.manageLink(device, bookingId));
	const token = await tokenOf(device, bookingId);
	const body = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString();
	expect(body).not.toMatch(new RegExp(`${bookingId}|Rosa|1961|Reyes`));
	expect(await world.api.manageLink(makeDevice(), bookingId)).toEqual({
		ok: false,
		reason: 'booking_unknown'
	});
});

test('[J18] the right date of birth lets a new device in: it sees and cancels, for an hour', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	const guest = makeDevice();
	expect(await world.api.checkManageLink(token)).toEqual({ ok: true, value: null });
	expect(await stateFor(guest, bookingId)).toBe('booking_unknown');
	expect(await world.api.openManageLink(guest, { token, bornOn })).toEqual({
		ok: true,
		value: { bookingId }
	});
	expect(await stateFor(guest, bookingId)).toBe('booked');
	const requestId = makeRequest();
	expect(await world.api.cancelBooking(guest, { bookingId, requestId })).toMatchObject({
		value: { state: 'cancelling' }
	});
	await world.sql`update booking_guests set until = clock_timestamp()`;
	expect(await stateFor(guest, bookingId)).toBe('booking_unknown');
	expect(await stateFor(device, bookingId)).toBe('cancelling');
});

test('[J18] a guest moves the visit: the device that booked it keeps seeing both', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	const guest = makeDevice();
	await world.api.openManageLink(guest, { token, bornOn });
	const hold = await world.hold(await world.addSlot(world.scheduleId), guest);
	const requestId = makeRequest();
	const moved = await world.api.moveBooking(guest, { bookingId, holdId: hold.id, requestId });
	if (!moved.ok) throw new Error(moved.reason);
	await settleBooking(world.sql, moved.value.id, yes);
	for (const one of [device, guest]) {
		expect(await stateFor(one, moved.value.id)).toBe('booked');
		expect(await stateFor(one, bookingId)).toBe('cancelling');
	}
	// The old link leads to where the visit now is.
	const other = makeDevice();
	expect(await world.api.openManageLink(other, { token, bornOn })).toEqual({
		ok: true,
		value: { bookingId: moved.value.id }
	});
	expect(await stateFor(other, moved.value.id)).toBe('booked');
});

test('[J18] tokens of another use, another key, ended or torn are not links', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	const now = toInstant(Date.now());
	const claims = readManageToken(linkKey, token, now) ?? { link: '', exp: 0 };
	expect(claims.exp).toBeGreaterThan(Date.now());
	expect(readManageToken(linkKey, token, toInstant(claims.exp))).toBeNull();
	const bad = [
		signToken(linkKey, 'link', claims),
		signToken(linkKey, 'session', claims),
		signToken(Buffer.alloc(32, 6), 'manage', claims),
		signToken(linkKey, 'manage', { ...claims, exp: Date.now() - 1 }),
		signToken(linkKey, 'manage', { ...claims, link: bookingId }),
		token.slice(0, -2),
		`${token}.x`,
		'',
		'x'.repeat(10_000)
	];
	for (const each of bad) {
		expect(await world.api.checkManageLink(each)).toEqual({ ok: false, reason: 'link_expired' });
		expect(await world.api.openManageLink(makeDevice(), { token: each, bornOn })).toEqual({
			ok: false,
			reason: 'link_expired'
		});
	}
	expect(claims.exp - Date.now()).toBeLessThan(40 * DAY_MS);
});

test('[J19] five wrong dates, then the link is closed to the right one too', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	const guest = makeDevice();
	for (let left = MAX_LINK_TRIES - 1; left >= 0; left -= 1) {
		const wrong = { token, bornOn: `1980-01-0${left + 1}` };
		expect(await world.api.openManageLink(guest, wrong)).toEqual({
			ok: false,
			reason: 'birth_date_wrong',
			details: { left }
		});
	}
	expect(await world.api.openManageLink(guest, { token, bornOn })).toEqual({
		ok: false,
		reason: 'link_locked'
	});
	expect(await world.api.checkManageLink(token)).toEqual({ ok: false, reason: 'link_locked' });
	expect(await stateFor(guest, bookingId)).toBe('booking_unknown');
	expect(await stateFor(device, bookingId)).toBe('booked');
});

test('[J19] thirty wrong dates at once are five tries', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	const replies = await Promise.all(
		Array.from({ length: 30 }, (_, day) => {
			const wrong = `1980-01-${String(day + 1).padStart(2, '0')}`;
			return world.api.openManageLink(makeDevice(), { token, bornOn: wrong });
		})
	);
	const reasons = replies.map((reply) => (reply.ok ? 'ok' : reply.reason));
	expect(reasons.filter((reason) => reason === 'birth_date_wrong')).toHaveLength(MAX_LINK_TRIES);
	expect(reasons.filter((reason) => reason === 'link_locked')).toHaveLength(30 - MAX_LINK_TRIES);
});

test('[J19] a right date begins the count anew', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	for (let round = 0; round < 3; round += 1) {
		for (let wrong = 1; wrong < MAX_LINK_TRIES; wrong += 1) {
			await world.api.openManageLink(makeDevice(), { token, bornOn: '1980-01-01' });
		}
		const right = await world.api.openManageLink(makeDevice(), { token, bornOn });
		expect(right).toMatchObject({ ok: true });
	}
});

test('[J18] each look behind a link is in the audit, and the chain holds', async () => {
	const { device, bookingId } = await booked();
	const token = await tokenOf(device, bookingId);
	await world.api.openManageLink(makeDevice(), { token, bornOn: '1980-01-01' });
	await world.api.openManageLink(makeDevice(), { token, bornOn });
	const rows = await world.sql`select action from audit where actor = ${`link:${bookingId}`}`;
	expect(rows.map(({ action }) => action as unknown)).toEqual(['patient_read', 'patient_read']);
	expect(await verifyAudit(world.sql)).toMatchObject({ intact: true });
});
