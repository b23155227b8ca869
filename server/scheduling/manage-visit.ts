// A person's way back to a visit without a login: a link that shows nothing by itself, and the date
// of birth as the second factor. A right answer lets the device in for an hour.
import { GUEST_MS, MAX_LINK_TRIES } from '#domain/booking.ts';
import type { ManageRefusal } from '#domain/api.ts';
import type { OpenManageLink } from '#domain/commands.ts';
import type { BookingId, DeviceKey } from '#domain/ids.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import { DAY_MS, type Clock } from '#domain/time.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql } from '../platform/postgres.ts';
import { readBookingView } from '../store/booking-view.ts';
import { ensureManageLink, proveLink, readTries, takeTry } from '../store/manage-links.ts';
import { manageUrl, readManageToken } from './manage-token.ts';

type Deps = {
	readonly sql: Sql;
	readonly phi: PhiCipher;
	readonly clock: Clock;
	readonly linkKey: Buffer;
	readonly publicUrl: string;
};

/** A link outlives its visit by a day. */
export const linkOf = async (
	{ sql, linkKey, publicUrl }: Omit<Deps, 'phi' | 'clock'>,
	bookingId: BookingId
): Promise<string | null> => {
	const made = await ensureManageLink(sql, bookingId);
	if (made === null) return null;
	return manageUrl(publicUrl, linkKey, { link: made.link, exp: made.endsAt + DAY_MS });
};

export const manageLink =
	(deps: Deps) =>
	async (device: DeviceKey, bookingId: BookingId): Promise<Result<string, 'booking_unknown'>> => {
		if ((await readBookingView(deps.sql, device, bookingId)) === null) {
			return refuse('booking_unknown');
		}
		const url = await linkOf(deps, bookingId);
		return url === null ? refuse('booking_unknown') : ok(url);
	};

/** Whether a link may be tried at all; says nothing about whose it is. */
export const checkManageLink =
	({ sql, linkKey, clock }: Deps) =>
	async (token: string): Promise<Result<null, 'link_expired' | 'link_locked'>> => {
		const claims = readManageToken(linkKey, token, clock.now());
		const tries = claims === null ? null : await readTries(sql, claims.link);
		if (tries === null) return refuse('link_expired');
		return tries < MAX_LINK_TRIES ? ok(null) : refuse('link_locked');
	};

export const openManageLink =
	(deps: Deps) =>
	async (
		device: DeviceKey,
		{ token, bornOn }: OpenManageLink
	): Promise<Result<{ readonly bookingId: BookingId }, ManageRefusal>> => {
		const { sql, phi, linkKey, clock } = deps;
		const checked = await checkManageLink(deps)(token);
		if (!checked.ok) return checked;
		const claims = readManageToken(linkKey, token, clock.now());
		const tried = claims === null ? null : await takeTry(sql, claims.link, MAX_LINK_TRIES);
		if (claims === null || tried === null) return refuse('link_locked');
		const { bookingId, left } = tried;
		const proof = { link: claims.link, bookingId, bornOn, device, forMs: GUEST_MS };
		const found = await proveLink(sql, phi, proof);
		return found === null ? refuse('birth_date_wrong', { left }) : ok({ bookingId: found });
	};
