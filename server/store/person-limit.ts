// Counts the visits to come of one person, whatever the device. Only keyed digests are compared.
import { personOf } from '#domain/person.ts';
import type { PatientDetails } from '#domain/booking.ts';
import type { PhiCipher } from '../platform/phi.ts';
import type { Tx } from '../platform/postgres.ts';

export type Person = {
	/** To be kept with a booking. */
	readonly print: string;
	/** The same person under every key that ever was. */
	readonly prints: readonly string[];
};

export const printsOf = (phi: PhiCipher, patient: PatientDetails): Person => {
	const text = personOf(patient);
	return { print: phi.fingerprint(text), prints: phi.fingerprints(text) };
};

/**
 * H42: whether this person has `most` visits to come already. Whoever books for the same person at
 * the same moment waits until this transaction ends.
 */
export const hasMostVisits = async (tx: Tx, person: Person, most: number): Promise<boolean> => {
	await tx`select pg_advisory_xact_lock(hashtextextended(${person.print}, 3))`;
	const [row] = await tx<{ count: number }[]>`
		select count(*)::int as count from bookings b
		where b.person = any (${[...person.prints]}) and b.ends_at > clock_timestamp()
			and b.state in ('confirming', 'unconfirmed', 'booked')
			-- A visit that is being moved is one visit.
			and not exists (select 1 from bookings o where o.id = b.replaces and o.state = 'booked')`;
	return (row?.count ?? 0) >= most;
};
