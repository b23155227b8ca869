import { expect, test } from 'vitest';
import { regions } from '#domain/codes.ts';
import { zoneWord, zoneWords } from '../../web/lib/zone-names.ts';

test.each([
	['America/Denver', 'MT', 'Mountain Time'],
	['America/Phoenix', 'MST', 'Mountain Standard Time'],
	['America/Detroit', 'ET', 'Eastern Time'],
	['America/Juneau', 'AKT', 'Alaska Time'],
	['America/Anchorage', 'AKT', 'Alaska Time'],
	['America/Menominee', 'CT', 'Central Time'],
	['UTC', 'UTC', 'UTC']
])('[U36] %s is %s, %s', (zone, short, long) => {
	expect([zoneWord(zone), zoneWords(zone)]).toEqual([short, long]);
});

test('[U36] every zone of every region has a name in words', () => {
	const names = regions.flatMap(({ timeZones }) => timeZones).map(zoneWords);
	expect(names.filter((name) => /GMT|UTC|\d/.test(name))).toEqual([]);
});
