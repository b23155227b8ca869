import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { regions, specialties } from '#domain/codes.ts';
import { clinicRoom, isPatientRoom, roomsOf, roomsToFollow } from '#domain/room.ts';

const codes = regions.map((region) => region.code);
const schedule = fc.record({
	specialtyIds: fc.uniqueArray(fc.constantFrom(...specialties.map((s) => s.id)), { maxLength: 4 }),
	regions: fc.uniqueArray(fc.constantFrom(...codes), { maxLength: 20 })
});

describe('rooms', () => {
	test('[R1] are each specialty in each region', () => {
		expect(
			roomsOf({ specialtyIds: ['urology', 'dermatology'], regions: ['US-WY', 'US-MT'] })
		).toEqual(['dermatology:us-mt', 'dermatology:us-wy', 'urology:us-mt', 'urology:us-wy']);
		expect(roomsOf({ specialtyIds: [], regions: ['US-MT'] })).toEqual([]);
		expect(roomsOf({ specialtyIds: ['urology'], regions: [] })).toEqual([]);
	});

	test('[R1] are sorted, without repeats, whatever the order', () => {
		fc.assert(
			fc.property(schedule, (one) => {
				const rooms = roomsOf(one);
				expect(rooms).toEqual([...new Set(rooms)].toSorted());
				const doubled = {
					specialtyIds: [...one.specialtyIds.toReversed(), ...one.specialtyIds],
					regions: one.regions.toReversed()
				};
				expect(roomsOf(doubled)).toEqual(rooms);
				expect(rooms.every(isPatientRoom)).toBe(true);
			})
		);
	});

	test.each([
		[8, 8],
		[9, 1]
	])('[R2] of a schedule with %i regions: %i', (count, rooms) => {
		const found = roomsOf({ specialtyIds: ['dermatology'], regions: codes.slice(0, count) });
		expect(found).toHaveLength(rooms);
		if (rooms === 1) expect(found).toEqual(['dermatology:us']);
	});

	test('[R3] a viewer follows a room of every schedule licensed where the viewer is', () => {
		fc.assert(
			fc.property(schedule, (one) => {
				const rooms = roomsOf(one);
				for (const specialty of one.specialtyIds) {
					for (const region of one.regions) {
						const followed = roomsToFollow(specialty, region);
						expect(followed.filter((room) => rooms.includes(room))).toHaveLength(1);
					}
				}
			})
		);
	});

	test('[R3] a clinic’s room is not a patient’s', () => {
		expect(isPatientRoom(clinicRoom(12))).toBe(false);
		for (const name of [
			'',
			'dermatology',
			'Dermatology:us-mt',
			'a:us-mt:x',
			'dermatology:us-mt ',
			'd:us-m'
		]) {
			expect(isPatientRoom(name)).toBe(false);
		}
		expect(roomsToFollow('dermatology', 'US-MT').every(isPatientRoom)).toBe(true);
	});
});
