// Connector for FHIR servers whose free time is an answer to `$find`: Argonaut, IHE ITI Scheduling,
// and Medplum, where Slots exist only for what is taken. Booking by `$hold` and `$book`.
import type { FhirFind, SourceSettings } from '#domain/source.ts';
import { toInstant } from '#domain/time.ts';
import { createComputed, type Compute, type ComputedParts } from '../computed.ts';
import type { Connector } from '../connector.ts';
import { silentFor, silentOf } from '../silent.ts';
import { findAppointment } from './fhir-booking.ts';
import { openSession } from './fhir-session.ts';
import { askFind } from './find-asking.ts';
import { bookFound } from './find-booking.ts';
import { createFindCancel } from './find-cancel.ts';
import { readFound } from './find-reading.ts';

/** What must be noted to ask at all; null = something is missing. */
const findOf = ({ find }: SourceSettings['notes']): FhirFind | null => {
	if (find?.style !== 'medplum') return find ?? null;
	return find.schedules === undefined || find.service === undefined ? null : find;
};

/** Who is shown even without a free time. */
const notedOf = ({ style, schedules = [], practitioners = [] }: FhirFind): readonly string[] =>
	style === 'medplum' ? schedules : practitioners;

const compute =
	(parts: ComputedParts): Compute =>
	async (request, _context, window) => {
		const { source, now } = request;
		const find = findOf(source.notes);
		if (find === null) return silentFor('misconfigured', 'What to find must be noted.', 0);
		const asked = {
			window: { from: window.askFrom, to: window.to },
			mostBytes: parts.listingBytes
		};
		const session = openSession(parts.http, request);
		const { answers, fault, dateMs, bytes } = await askFind(session, find, asked);
		if (answers.length === 0 && fault !== null) return silentOf(fault, bytes);
		// A104: who has no free time in the near days is not named there, and must not lose the name.
		const known = request.nearMs === undefined ? notedOf(find) : [];
		const { reads, schedules } = readFound(answers, source, known);
		return {
			reads,
			schedules,
			isWhole: fault === null,
			listsOnlyFree: true,
			takesWindow: true,
			isJudged: true,
			files: [],
			validAt: toInstant(dateMs ?? now),
			maxAgeMs: null,
			cursor: { answers: answers.length },
			bytes
		};
	};

/** Creates the connector. */
export const createFhirOperations = (parts: ComputedParts): Connector => ({
	...createComputed(parts, compute(parts)),
	findBooking: async (order) => findAppointment(openSession(parts.http, order), order.bookingId),
	cancel: createFindCancel(parts.http),
	book: async (order) => {
		const find = findOf(order.source.notes);
		return find === null
			? { state: 'rejected', because: 'clinic_refused' }
			: await bookFound(openSession(parts.http, order), order, find);
	}
});
