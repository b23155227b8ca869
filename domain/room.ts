// Rooms: specialty × region for patients, one per clinic for the console. A room numbers its
// changes without gaps, so that a viewer can see that it missed one.
import type { ScheduleFact } from './schedule.ts';

/** `dermatology:us-mt`, `dermatology:us` (national) or `clinic:12`. */
export type RoomName = string;

/** R2: licensed in more regions than this = one national room instead of many local ones. */
export const NATIONAL_ABOVE = 8;

export const localRoom = (specialtyId: string, regionCode: string): RoomName =>
	`${specialtyId}:${regionCode.toLowerCase()}`;
export const nationalRoom = (specialtyId: string): RoomName => `${specialtyId}:us`;
export const clinicRoom = (sourceId: number): RoomName => `clinic:${sourceId}`;

/** R1: the rooms in which a schedule's slots are offered; sorted, without repeats. */
export const roomsOf = (
	schedule: Pick<ScheduleFact, 'specialtyIds' | 'regions'>
): readonly RoomName[] => {
	const names = new Set<RoomName>();
	for (const specialtyId of schedule.specialtyIds) {
		if (schedule.regions.length > NATIONAL_ABOVE) names.add(nationalRoom(specialtyId));
		else for (const region of schedule.regions) names.add(localRoom(specialtyId, region));
	}
	return [...names].toSorted();
};

/** R3: someone who watches a specialty in a region follows its local and its national room. */
export const roomsToFollow = (specialtyId: string, regionCode: string): readonly RoomName[] => [
	localRoom(specialtyId, regionCode),
	nationalRoom(specialtyId)
];

const patientRoomShape = /^[a-z0-9-]{2,60}:us(-[a-z]{2})?$/;
export const isPatientRoom = (name: string): boolean => patientRoomShape.test(name);
