// Appointments between the wire and the clinic: what may be posted, and what is answered.
import type { Result } from '#domain/result.ts';
import { ok, refuse } from '#domain/result.ts';
import type { Appointment } from '../clinic.ts';
import type { AppointmentRecord, Extension } from '../wire.ts';

type Posted = {
	slotId: string;
	status: 'booked' | 'pending';
	identifiers: string[];
	/** UTC ms, when the asker names the time; the slot's own start otherwise. */
	startAt: number | null;
	content: Record<string, unknown>;
};

export const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

const records = (value: unknown): Record<string, unknown>[] =>
	Array.isArray(value) ? value.filter(isRecord) : [];

export const readIdentifiers = (value: unknown): string[] =>
	records(value).flatMap(({ system, value: text }) =>
		typeof text === 'string' ? [`${typeof system === 'string' ? system : ''}|${text}`] : []
	);

const participantStatuses = ['accepted', 'declined', 'tentative', 'needs-action'];

const isParticipant = ({ type, actor, status }: Record<string, unknown>): boolean =>
	(type !== undefined || actor !== undefined) &&
	typeof status === 'string' &&
	participantStatuses.includes(status);

/** Reads a posted Appointment; invariants app-1 and app-2 are checked as a real server does. */
export const readAppointment = (
	body: unknown
): Result<Posted, 'not_an_appointment' | 'status_unsupported' | 'one_slot' | 'participant'> => {
	if (!isRecord(body) || body['resourceType'] !== 'Appointment')
		return refuse('not_an_appointment');
	const { status } = body;
	if (status !== 'booked' && status !== 'pending') return refuse('status_unsupported');
	const slots = records(body['slot']).map(({ reference }) => reference);
	const [reference] = slots;
	const slotId =
		typeof reference === 'string'
			? /(?:^|\/)Slot\/([A-Za-z0-9.-]{1,64})$/.exec(reference)?.[1]
			: '';
	if (slots.length !== 1 || slotId === undefined || slotId === '') return refuse('one_slot');
	const participants = records(body['participant']);
	if (participants.length === 0 || !participants.every(isParticipant)) return refuse('participant');
	if ((body['start'] === undefined) !== (body['end'] === undefined)) return refuse('participant');
	const startAt = typeof body['start'] === 'string' ? Date.parse(body['start']) : null;
	const identifiers = readIdentifiers(body['identifier']);
	return ok({ slotId, status, identifiers, startAt, content: body });
};

/** The resource as the clinic keeps it now; `visit` says how to join. */
export const toFhirAppointment = (
	appointment: Appointment,
	visit: readonly Extension[] = []
): AppointmentRecord => ({
	slot: [{ reference: `Slot/${appointment.slotId}` }],
	participant: [{ actor: { display: 'Booked at the portal' }, status: 'accepted' }],
	...(appointment.via === 'fhir' && appointment.content),
	...(visit.length > 0 && { extension: visit }),
	resourceType: 'Appointment',
	id: appointment.id,
	status: appointment.status,
	meta: {
		versionId: String(appointment.version),
		lastUpdated: new Date(appointment.updatedAt).toISOString()
	}
});
