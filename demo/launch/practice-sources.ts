// What an operator would note of the demo's small practices: each of a kind that says little of
// itself, so that the notes say the rest.
import type { z } from 'zod';
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { must } from '#domain/result.ts';
import { EVENT_TYPE } from '../clinics/cal-com/server.ts';
import { fullName } from '../clinics/people.ts';
import type { Practitioner } from '../clinics/practitioner.ts';
import type { PracticeProfile } from '../clinics/profiles.ts';
import type { RunningClinic } from '../clinics/start.ts';

type Settings = z.input<typeof SourceSettings>;
type Notes = NonNullable<Settings['notes']>;

const weekDays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const clockOf = (minute: number): string =>
	`${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

/** A calendar tells only what is taken: the hours are published elsewhere. */
const hoursOf = ({ sessions }: Practitioner): Notes['hours'] =>
	sessions.map(({ weekday, fromMinute, toMinute }) => ({
		days: [must(weekDays[weekday], 'weekday')],
		from: clockOf(fromMinute),
		to: clockOf(toMinute)
	}));

const mappingOf = ({ timeZone }: Practitioner): Notes['mapping'] => ({
	format: 'json',
	paging: { by: 'link', at: 'links.next' },
	schedules: {
		each: [{ as: 'doctor', at: 'result.doctors[*]' }],
		key: 'doctor.ref',
		name: 'doctor.fullName',
		state: 'doctor.state',
		zone: { at: 'doctor.tz', words: { [timeZone]: timeZone } }
	},
	slots: {
		each: [{ as: 'opening', at: 'result.openings[*]' }],
		schedule: 'opening.doctor.ref',
		id: 'opening.id',
		start: { at: 'opening.begin', as: 'wall' },
		minutes: 'opening.minutes',
		status: { at: 'opening.state', words: { OPEN: 'free', TAKEN: 'busy' } }
	}
});

const ownNotes = (kind: PracticeProfile['kind'], person: Practitioner): Notes => {
	switch (kind) {
		case 'fhir-operations':
			return { find: { style: 'argonaut', holds: true } };
		case 'cal-com':
			return {
				calEventTypes: [
					{ id: EVENT_TYPE, name: fullName(person.name), minutes: person.slotMinutes }
				]
			};
		case 'ical':
			return { hours: hoursOf(person), slotMinutes: person.slotMinutes };
		default:
			return { mapping: mappingOf(person) };
	}
};

const INTERVAL_MS = 5 * SECOND_MS;
/** Calendars are not asked more often, and this one wishes for it. */
const CALENDAR_MS = 10 * MINUTE_MS;

/** The settings of a practice besides its name and address. */
export const practiceSettings = (
	{ organisation, operatorNotes }: RunningClinic,
	{ kind }: PracticeProfile
): Omit<Settings, 'key' | 'name' | 'kind' | 'url'> => {
	const person = must(organisation.practitioners[0], 'practitioner');
	const minIntervalMs = kind === 'ical' ? CALENDAR_MS : INTERVAL_MS;
	return {
		notes: {
			practitionerName: fullName(person.name),
			specialtyIds: [person.specialtyId],
			...ownNotes(kind, person)
		},
		minIntervalMs,
		freshForMs: 2 * minIntervalMs + 30 * SECOND_MS,
		// New days open at the end of two weeks: hours alone would call them open before.
		windowMs: 13 * DAY_MS,
		booking: operatorNotes.booking === 'api' ? 'fhir' : 'phone'
	};
};
