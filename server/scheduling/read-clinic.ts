// The clinic's console: its bookings with who comes, what is held now, how its days fill up. Each
// read of patients is in the audit.
import type { ClinicBooking, ClinicSnapshot, PatientDetails } from '#domain/booking.ts';
import type { BookingId, SourceId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import { clinicRoom } from '#domain/room.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Sql } from '../platform/postgres.ts';
import type { Actor } from '../store/audit.ts';
import { readPoint, withSnapshot } from '../store/board.ts';
import {
	acknowledgeBooking as acknowledge,
	readClinicBookings,
	readClinicDays,
	readClinicSource,
	readHeldNow,
	type ClinicBookingRow
} from '../store/clinic.ts';
import { actAs, readPatients } from '../store/patients.ts';
import { countWaiting } from '../store/waiting-counts.ts';

type Deps = { readonly sql: Sql; readonly phi: PhiCipher };

/** P5: a console shows a given name and an initial: enough to greet, not enough to look up. */
export const labelOf = (patient: PatientDetails): string => {
	const [initial = ''] = patient.familyName;
	return `${patient.givenName} ${initial.toLocaleUpperCase('en')}.`;
};

const withPatients = async (
	{ sql, phi }: Deps,
	source: SourceId,
	rows: readonly ClinicBookingRow[]
): Promise<readonly ClinicBooking[]> => {
	if (rows.length === 0) return [];
	const actor: Actor = `clinic:${source}`;
	const ids = rows.map((row) => row.patientId);
	const patients = await sql.begin(async (tx) => {
		await actAs(tx, actor);
		return await readPatients(tx, phi, actor, ids);
	});
	return rows.map(({ patientId, ...booking }) => {
		const patient = patients.get(patientId);
		// Erased at the patient's wish: the visit stays, who it was does not.
		if (patient === undefined)
			return { ...booking, patientLabel: '—', phone: '—', reason: null, forWhom: 'me' };
		const { phone, reason, forWhom = 'me' } = patient;
		return { ...booking, patientLabel: labelOf(patient), phone, reason, forWhom };
	});
};

export const readClinic =
	(deps: Deps) =>
	async (source: SourceId): Promise<Result<ClinicSnapshot, 'not_allowed'>> => {
		const room = clinicRoom(source);
		const seen = await withSnapshot(deps.sql, async (tx) => {
			const clinic = await readClinicSource(tx, source);
			if (clinic === undefined) return null;
			const [point, rows, heldNow, days, waiting] = await Promise.all([
				readPoint(tx, [room]),
				readClinicBookings(tx, source),
				readHeldNow(tx, source),
				readClinicDays(tx, source, clinic.zone),
				countWaiting(tx, source)
			]);
			return { clinic, point, rows, heldNow, days, waiting };
		});
		if (seen === null) return refuse('not_allowed');
		const { clinic, point, rows, heldNow, days, waiting } = seen;
		return ok({
			sourceId: source,
			name: clinic.name,
			zone: clinic.zone,
			epoch: point.epoch,
			seq: point.heads[room] ?? 0,
			asOf: point.asOf,
			bookings: await withPatients(deps, source, rows),
			heldNow,
			waiting,
			days
		});
	};

export const acknowledgeBooking =
	({
		sql,
		publish
	}: {
		readonly sql: Sql;
		readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	}) =>
	async (source: SourceId, bookingId: BookingId): Promise<Result<null, 'booking_unknown'>> => {
		const entries = await acknowledge(sql, source, bookingId);
		if (entries === null) return refuse('booking_unknown');
		if (entries.length > 0) publish(entries);
		return ok(null);
	};
