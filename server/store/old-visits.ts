// What is left of visits that are over: their links, the devices let in by them, notes of e-mails.
import type { Sql } from '../platform/postgres.ts';

/** Days after a visit for which its link still opens it. */
const LINK_DAYS = 7;

/** P9: removes one batch of them; how many rows went, at most three times `limit`. */
export const dropVisitTraces = async (sql: Sql, limit: number): Promise<number> => {
	const over = sql`
		select b.id from bookings b
		where b.ends_at < clock_timestamp() - ${LINK_DAYS} * interval '1 day'`;
	const guests = await sql`
		delete from booking_guests where (booking_id, device_key) in (
			select booking_id, device_key from booking_guests where until < clock_timestamp()
			limit ${limit})`;
	const links = await sql`
		delete from manage_links where id in (
			select id from manage_links where booking_id in (${over}) limit ${limit})`;
	const mails = await sql`
		delete from mails where id in (
			select id from mails where booking_id in (${over}) limit ${limit})`;
	return guests.count + links.count + mails.count;
};
