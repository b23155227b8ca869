// Manage links in the tables: made once per visit, tried a few times, and what a right try opens.
import type { BookingId, DeviceKey, PatientId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Queryable, Sql, Tx } from '../platform/postgres.ts';
import { actAs, readPatients } from './patients.ts';

/** Id of the link of a visit, made on first use, and the visit's end. */
export const ensureManageLink = async (
	sql: Queryable,
	bookingId: BookingId
): Promise<{ readonly link: string; readonly endsAt: Instant } | null> => {
	const read = () => sql<{ link: string; endsAt: Instant }[]>`
		select l.id as link, b.ends_at as "endsAt"
		from manage_links l join bookings b on b.id = l.booking_id
		where l.booking_id = ${bookingId}`;
	const [known] = await read();
	if (known !== undefined) return known;
	await sql`
		insert into manage_links (booking_id) select id from bookings where id = ${bookingId}
		on conflict (booking_id) do nothing`;
	return (await read())[0] ?? null;
};

/** Null when there is no such link. */
export const readTries = async (sql: Queryable, link: string): Promise<number | null> => {
	const [row] = await sql<{ tries: number }[]>`select tries from manage_links where id = ${link}`;
	return row?.tries ?? null;
};

/** J19: counts a try before it is judged, so that many at once are not more; null = none is left. */
export const takeTry = async (
	sql: Queryable,
	link: string,
	most: number
): Promise<{ readonly bookingId: BookingId; readonly left: number } | null> => {
	const [row] = await sql<{ bookingId: BookingId; left: number }[]>`
		update manage_links set tries = tries + 1
		where id = ${link} and tries < ${most}
		returning booking_id as "bookingId", ${most} - tries as left`;
	return row ?? null;
};

const isBornOn = async (
	tx: Tx,
	phi: PhiCipher,
	{ bookingId, bornOn }: { readonly bookingId: BookingId; readonly bornOn: string }
): Promise<boolean> => {
	const [row] = await tx<{ id: PatientId }[]>`
		select patient_id as id from bookings where id = ${bookingId}`;
	if (row === undefined) return false;
	const patients = await readPatients(tx, phi, `link:${bookingId}`, [row.id]);
	return patients.get(row.id)?.bornOn === bornOn;
};

export type Proof = {
	readonly link: string;
	readonly bookingId: BookingId;
	readonly bornOn: string;
	readonly device: DeviceKey;
	/** How long the device may then see and change the visit, ms. */
	readonly forMs: number;
};

/**
 * J18: the right date of birth lets the device in, to the visit and to those it was moved to. Returns
 * the visit that now stands for it; null when the date is another. Audited as read by the link.
 */
export const proveLink = (sql: Sql, phi: PhiCipher, proof: Proof): Promise<BookingId | null> =>
	sql.begin(async (tx) => {
		const { link, bookingId, device, forMs } = proof;
		await actAs(tx, `link:${bookingId}`);
		if (!(await isBornOn(tx, phi, proof))) return null;
		await tx`update manage_links set tries = 0 where id = ${link}`;
		const rows = await tx<{ id: BookingId }[]>`
			with recursive moved as (
				select id, 0 as steps, state from bookings where id = ${bookingId}
				union all
				select n.id, moved.steps + 1, n.state
				from bookings n join moved on n.replaces = moved.id where moved.steps < 100
			), guests as (
				insert into booking_guests (booking_id, device_key, until)
				select id, ${device}, clock_timestamp() + ${forMs} * interval '1 millisecond' from moved
				on conflict (booking_id, device_key) do update set until = excluded.until
			)
			select id from moved where steps = 0 or state <> 'rejected' order by steps desc limit 1`;
		return rows[0]?.id ?? null;
	});
