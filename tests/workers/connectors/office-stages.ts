// How the hub is told of the small practices: kind and notes of a source for each format.
import { Mapping } from '#domain/mapping.ts';
import type { SourceKind, SourceSettings } from '#domain/source.ts';
import { EVENT_TYPE } from '../../../demo/clinics/cal-com/server.ts';
import { operationsNotes } from '../../../demo/clinics/operations/server.ts';
import type { OfficeFormat } from '../../../demo/clinics/small/start.ts';

type Stage = {
	readonly name: string;
	readonly format: OfficeFormat;
	readonly kind: SourceKind;
	readonly notes: SourceSettings['notes'];
	/** The answer lists what is free (and may shrink to nothing), not what is busy. */
	readonly isFreeListed: boolean;
};

const shared: SourceSettings['notes'] = {
	zone: 'America/Denver',
	kinds: ['video'],
	regions: ['US-CO'],
	specialtyIds: ['dermatology']
};

export const stages: readonly Stage[] = [
	{
		name: 'iCalendar feed',
		format: 'calendar',
		kind: 'ical',
		notes: {
			...shared,
			hours: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '09:00', to: '16:00' }],
			slotMinutes: 30
		},
		isFreeListed: false
	},
	{
		name: 'vendor JSON in pages',
		format: 'vendor',
		kind: 'mapped',
		notes: {
			...shared,
			mapping: Mapping.parse({
				format: 'json',
				paging: { by: 'link', at: 'links.next' },
				schedules: {
					each: [{ as: 'doctor', at: 'result.doctors[*]' }],
					key: 'doctor.ref',
					name: 'doctor.fullName',
					state: 'doctor.state',
					zone: { at: 'doctor.tz', words: { MT: 'America/Denver' } }
				},
				slots: {
					each: [{ as: 'opening', at: 'result.openings[*]' }],
					schedule: 'opening.doctor.ref',
					id: 'opening.id',
					start: { at: 'opening.begin', as: 'wall' },
					minutes: 'opening.minutes',
					status: { at: 'opening.state', words: { OPEN: 'free', TAKEN: 'busy' } }
				}
			})
		},
		isFreeListed: true
	},
	{
		name: 'vendor GraphQL with a cursor',
		format: 'graph',
		kind: 'mapped',
		notes: {
			...shared,
			mapping: Mapping.parse({
				format: 'json',
				request: {
					graphql: { query: 'query ($after: String) { openings(after: $after) { cursor } }' }
				},
				paging: { by: 'cursor', at: 'data.openings.cursor', parameter: 'after' },
				slots: {
					each: [{ as: 'node', at: 'data.openings.nodes[*]' }],
					id: 'node.id',
					start: { at: 'node.start', as: 'instant' },
					end: { at: 'node.end', as: 'instant' },
					remaining: 'node.placesLeft'
				}
			})
		},
		isFreeListed: true
	},
	{
		name: 'vendor CSV',
		format: 'table',
		kind: 'mapped',
		notes: {
			...shared,
			mapping: Mapping.parse({
				format: 'csv',
				slots: {
					each: [{ as: 'row', at: '[*]' }],
					id: 'row.Id',
					start: { at: ['row.Date', 'row.Time'], as: 'wall', order: 'mdy' },
					minutes: 30
				}
			})
		},
		isFreeListed: true
	},
	{
		name: 'Cal.com',
		format: 'cal-com',
		kind: 'cal-com',
		notes: { ...shared, calEventTypes: [{ id: EVENT_TYPE, name: 'Ana Ruiz' }] },
		isFreeListed: true
	},
	{
		name: 'FHIR operations of Argonaut',
		format: 'find-argonaut',
		kind: 'fhir-operations',
		notes: { ...shared, find: { style: 'argonaut', holds: true } },
		isFreeListed: true
	},
	{
		name: 'FHIR operations of IHE',
		format: 'find-ihe',
		kind: 'fhir-operations',
		notes: {
			...shared,
			find: { style: 'ihe', holds: true, practitioners: [operationsNotes.practitioner] }
		},
		isFreeListed: true
	},
	{
		name: 'FHIR operations of Medplum',
		format: 'find-medplum',
		kind: 'fhir-operations',
		notes: {
			...shared,
			find: {
				style: 'medplum',
				holds: true,
				schedules: [operationsNotes.schedule],
				service: operationsNotes.service
			}
		},
		isFreeListed: true
	}
];
