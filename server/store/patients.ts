// Patients' details: one encrypted blob per patient, readable only inside a transaction that says
// who reads, as the role to which row-level security applies, and that leaves an audit row.
import type { PatientDetails } from '#domain/booking.ts';
import type { DeviceKey, PatientId } from '#domain/ids.ts';
import type { PhiCipher, PhiPlace } from '../platform/phi.ts';
import { HUB_ROLE, type Sql, type Tx } from '../platform/postgres.ts';
import { appendAudit, type Actor } from './audit.ts';

/** Names who acts for the rest of this transaction and gives up every other right. */
export const actAs = async (tx: Tx, actor: Actor): Promise<void> => {
	await tx`
		select set_config('role', ${HUB_ROLE}, true), set_config('slotcast.actor', ${actor}, true)`;
};

const placeOf = (patient: PatientId, version: number): PhiPlace => ({
	table: 'patients',
	column: 'details',
	row: patient,
	patient,
	version
});

/** Encrypts and writes a new patient of a device. Call `actAs` first. */
export const insertPatient = async (
	tx: Tx,
	phi: PhiCipher,
	patient: { readonly id: PatientId; readonly device: DeviceKey; readonly details: PatientDetails }
): Promise<void> => {
	const key = phi.newKey(patient.id);
	const sealed = phi.seal(key, placeOf(patient.id, 1), JSON.stringify(patient.details));
	await tx`
		insert into patients (id, device_key, key_id, wrapped_key, version, details)
		values (${patient.id}, ${patient.device}, ${key.keyId}, ${Buffer.from(key.wrapped)}, 1,
			${Buffer.from(sealed)})`;
	await appendAudit(tx, `device:${patient.device}`, 'patient_written', [patient.id]);
};

type SealedRow = {
	id: PatientId;
	keyId: string;
	wrapped: Uint8Array;
	version: number;
	details: Uint8Array;
};

/**
 * Details of those patients that the actor may see; a shredded patient is missing. Throws
 * PhiUnreadable when a row was tampered with. Call `actAs` with the same actor first.
 */
export const readPatients = async (
	tx: Tx,
	phi: PhiCipher,
	actor: Actor,
	ids: readonly PatientId[]
): Promise<ReadonlyMap<PatientId, PatientDetails>> => {
	if (ids.length === 0) return new Map();
	const rows = await tx<SealedRow[]>`
		select id, key_id as "keyId", wrapped_key as wrapped, version, details
		from patients where id = any (${[...ids]}::uuid[]) and length(wrapped_key) > 0`;
	const found = new Map<PatientId, PatientDetails>();
	for (const row of rows) {
		const text = phi.open(row, placeOf(row.id, row.version), row.details);
		// Authenticated and parsed before it was sealed: nobody but us can have written it.
		const details: PatientDetails = JSON.parse(text);
		found.set(row.id, details);
	}
	if (found.size > 0) await appendAudit(tx, actor, 'patient_read', [...found.keys()]);
	return found;
};

/**
 * Wraps data keys that an older key-encryption key protects with the current one, at most `limit`;
 * repeat until 0. The details themselves are not touched. Rows under a key that we do not have stay
 * as they are (countOtherKeys). Throws PhiUnreadable when a row was tampered with.
 */
export const rewrapPatients = (sql: Sql, phi: PhiCipher, limit: number): Promise<number> =>
	sql.begin(async (tx) => {
		const actor: Actor = 'upkeep:rotate-keys';
		await actAs(tx, actor);
		const rows = await tx<Pick<SealedRow, 'id' | 'keyId' | 'wrapped'>[]>`
			select id, key_id as "keyId", wrapped_key as wrapped
			from patients
			where key_id = any (${[...phi.olderKeyIds]}) and length(wrapped_key) > 0
			order by id limit ${limit} for update skip locked`;
		for (const row of rows) {
			const next = phi.rewrap(row, row.id);
			await tx`
				update patients set key_id = ${next.keyId}, wrapped_key = ${Buffer.from(next.wrapped)}
				where id = ${row.id}`;
		}
		if (rows.length > 0) {
			const ids = rows.map((row) => row.id);
			await appendAudit(tx, actor, 'patient_rewrapped', ids);
		}
		return rows.length;
	});

/** Patients whose data key is not under the current key-encryption key. */
export const countOtherKeys = (sql: Sql, phi: PhiCipher): Promise<number> =>
	sql.begin(async (tx) => {
		await actAs(tx, 'upkeep:rotate-keys');
		const [row] = await tx<{ count: number }[]>`
			select count(*) as count from patients
			where key_id <> ${phi.currentKeyId} and length(wrapped_key) > 0`;
		return row?.count ?? 0;
	});

/**
 * Destroys a patient's data key: the row, and every copy of it in backups made since, can never be
 * read again. False when there is no such patient.
 */
export const shredPatient = (sql: Sql, id: PatientId): Promise<boolean> =>
	sql.begin(async (tx) => {
		const actor: Actor = 'upkeep:shred';
		await actAs(tx, actor);
		const rows = await tx`
			update patients set wrapped_key = '', details = '', version = version + 1
			where id = ${id} returning id`;
		await tx`update bookings set person = null where patient_id = ${id}`;
		if (rows.length > 0) await appendAudit(tx, actor, 'patient_shredded', [id]);
		return rows.length > 0;
	});
