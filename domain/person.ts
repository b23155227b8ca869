// Who somebody is, for counting: the same person however the name is typed. Pure.
import type { PatientDetails } from './booking.ts';
import { lettersOf } from './letters.ts';

/** H42: names without accents, signs and case, and the date of birth; phones are often shared. */
export const personOf = ({
	givenName,
	familyName,
	bornOn
}: Pick<PatientDetails, 'givenName' | 'familyName' | 'bornOn'>): string =>
	JSON.stringify([lettersOf(givenName), lettersOf(familyName), bornOn]);

/** H42: visits to come that one person may have, over all clinics. */
export const MAX_VISITS_PER_PERSON = 6;
