// A closing: a clinic's word that a practitioner takes no (more) visits here, for today or until the
// clinic says otherwise. Visits that are booked stay; times are shown to nobody.
import type { ScheduleId } from './ids.ts';

/** `today`: until midnight where the practitioner is. `off`: until taken back. */
export const closings = ['today', 'off'] as const;
export type Closing = (typeof closings)[number];

/** One practitioner's calendar as its clinic sees it. */
export type ClinicSchedule = {
	readonly id: ScheduleId;
	readonly practitionerName: string;
	readonly zone: string;
	/** null = its times are open to patients. */
	readonly closing: Closing | null;
	/** Open times that begin today, whether shown or not. */
	readonly openToday: number;
};
