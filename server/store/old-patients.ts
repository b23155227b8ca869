// Patients whose visits are long over: their details are destroyed, the bookings stay as numbers.
import type { PatientId } from '#domain/ids.ts';
import type { Sql } from '../platform/postgres.ts';
import { actAs, shredPatient } from './patients.ts';

/** Readable patients without a visit in the last `days`, unsettled bookings excepted. */
const listOldPatients = (sql: Sql, days: number, limit: number): Promise<PatientId[]> =>
	sql.begin(async (tx) => {
		await actAs(tx, 'upkeep:shred');
		const rows = await tx<{ id: PatientId }[]>`
			select p.id from patients p
			where length(p.wrapped_key) > 0
				and p.created_at < clock_timestamp() - ${days} * interval '1 day'
				and not exists (
					select 1 from bookings b where b.patient_id = p.id and (
						b.ends_at > clock_timestamp() - ${days} * interval '1 day'
						or b.shown_state in ('confirming', 'unconfirmed', 'cancelling')
					)
				)
			order by p.created_at, p.id limit ${limit}`;
		return rows.map((row) => row.id);
	});

/** Destroys the keys of at most `limit` such patients; returns how many. */
export const shredOldPatients = async (sql: Sql, days: number, limit: number): Promise<number> => {
	const ids = await listOldPatients(sql, days, limit);
	for (const id of ids) await shredPatient(sql, id);
	return ids.length;
};
