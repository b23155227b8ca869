// How the hub is told of the small practices: kind and notes of a source for each format.
import type { SourceKind, SourceSettings } from '#domain/source.ts';
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
	}
];
