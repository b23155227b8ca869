// Slots from anything a source may send: mutated payloads never throw and never become facts that
// a full check would refuse; wall times are right in every zone.
import { expect, test } from 'vitest';
import { isSlotStatus } from '#domain/slot.ts';
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import { offsetMinutesAt } from '#domain/zone.ts';
import { openBundle } from '#workers/connectors/bundle.ts';
import { readInFull } from '#workers/connectors/full-reading.ts';
import { bodyOfLines } from '#workers/connectors/pieces.ts';
import { createDirectory } from '#workers/connectors/providers/directory.ts';
import { describeSchedules } from '#workers/connectors/providers/schedule-facts.ts';
import { readWhen } from '#workers/connectors/providers/slot-facts.ts';
import { parseManifest } from '#workers/connectors/providers/smart-manifest.ts';
import { parseFeatures } from '#workers/connectors/providers/fhir-features.ts';
import { mutate, spoilBytes } from '../../../support/mutate.ts';
import { seededRandom } from '../../../support/random.ts';
import { feedBytes, feedReader, makeFeedSlot } from '../slot-feed.ts';

const isSound = (fact: object): boolean => {
	const { startsAt, endsAt, status, remaining, capacity, scheduleKey, sourceSlotId, bookUrl } =
		fact as Record<string, unknown>;
	return (
		Number.isInteger(startsAt) &&
		Number(endsAt) > Number(startsAt) &&
		isSlotStatus(status) &&
		Number.isInteger(remaining) &&
		Number(remaining) >= 0 &&
		Number(capacity) >= 1 &&
		(status === 'free' || remaining === 0) &&
		['0', '1', '2', '3', '4'].includes(String(scheduleKey)) &&
		String(sourceSlotId).length > 0 &&
		(bookUrl === null || /^https?:/.test(String(bookUrl)))
	);
};

test('[A18] ten thousand mutated payloads: nothing throws, nothing unsound is told', () => {
	const random = seededRandom();
	const how = { lines: feedReader('lines'), bundle: feedReader('bundle') };
	const seed: unknown = JSON.parse(feedBytes('bundle', [makeFeedSlot()]).toString());
	const line: unknown = JSON.parse(feedBytes('lines', [makeFeedSlot()]).toString());
	let told = 0;
	for (let turn = 0; turn < 5_000; turn += 1) {
		const asLine = spoilBytes(random, JSON.stringify(mutate(random, line)) ?? '');
		const asBundle = spoilBytes(random, JSON.stringify(mutate(random, seed)) ?? '');
		const bodies = [
			{ body: bodyOfLines(asLine), how: how.lines },
			{ body: openBundle(asBundle)?.body, how: how.bundle }
		];
		for (const each of bodies) {
			if (each.body === undefined) continue;
			const reading = readInFull([{ name: 'x', body: each.body }], each.how);
			if (reading.listing.form !== 'full') throw new Error('full expected');
			for (const fact of reading.listing.facts) expect(isSound(fact)).toBe(true);
			told += reading.listing.facts.length;
			expect(reading.flags.badRecords).toBeLessThanOrEqual(reading.flags.records);
		}
	}
	expect(told).toBeGreaterThan(100);
});

test('[A18] mutated directories, manifests and capability statements do not throw', () => {
	const random = seededRandom();
	const resource = {
		resourceType: 'Schedule',
		id: 'a',
		active: true,
		extension: [
			{ url: 'http://hl7.org/fhir/StructureDefinition/timezone', valueCode: 'America/Denver' }
		],
		actor: [{ reference: 'PractitionerRole/r', display: 'Dr' }],
		specialty: [{ coding: [{ system: 'http://nucc.org/provider-taxonomy', code: '207N00000X' }] }]
	};
	const role = {
		resourceType: 'PractitionerRole',
		id: 'r',
		extension: [{ url: 'x/network-reference', valueReference: { reference: 'Organization/n' } }],
		practitioner: { reference: 'Practitioner/p' },
		location: [{ reference: 'Location/l' }]
	};
	const place = {
		resourceType: 'Location',
		id: 'l',
		address: { state: 'MT' },
		telecom: [{ system: 'phone' }]
	};
	const manifest = { output: [{ type: 'Slot', url: 'https://x.example/a' }] };
	for (let turn = 0; turn < 3_000; turn += 1) {
		const entries = [resource, role, place].map((each) => ({ resource: mutate(random, each) }));
		const schedules = describeSchedules(createDirectory(entries), { name: 'Clinic', notes: {} });
		for (const { fact } of schedules.values()) {
			expect(fact.practitionerName.length).toBeGreaterThan(0);
			expect(fact.zone.length).toBeGreaterThan(0);
		}
		const text = spoilBytes(random, JSON.stringify(mutate(random, manifest)) ?? '');
		expect(typeof parseManifest(text, 'https://x.example/').ok).toBe('boolean');
		expect(typeof parseFeatures(text).hasLastUpdated).toBe('boolean');
	}
});

test('[A18] JSON a hundred thousand levels deep is refused, not a crash', () => {
	const deep = '['.repeat(100_000) + ']'.repeat(100_000);
	const text = `{"resourceType":"Slot","id":"x","a":${deep}}`;
	const body = bodyOfLines(Buffer.from(text));
	expect(readInFull([{ name: 'x', body }], feedReader('lines')).flags.badRecords).toBe(1);
	expect(
		openBundle(Buffer.from(`{"resourceType":"Bundle","entry":[{"a":${deep}}]}`))
	).toBeDefined();
});

const offsetText = (minutes: number): string => {
	const two = (value: number): string => String(value).padStart(2, '0');
	const size = Math.abs(minutes);
	return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
};

const zones = Intl.supportedValuesOf('timeZone');

test('[A19] an instant with its zone’s own offset is right everywhere and at all times', () => {
	const random = seededRandom();
	for (const zone of zones) {
		for (let turn = 0; turn < 6; turn += 1) {
			const at = toInstant(
				Math.floor(random.int(Date.UTC(2024, 0, 1), Date.UTC(2030, 0, 1)) / MINUTE_MS) * MINUTE_MS
			);
			const offset = offsetMinutesAt(at, zone);
			const wall = new Date(at + offset * MINUTE_MS).toISOString().slice(0, 19);
			for (const trustsWall of [true, false]) {
				expect(readWhen(wall + offsetText(offset), { candidates: [zone], trustsWall })).toEqual({
					at,
					isOffsetWrong: false
				});
			}
		}
	}
});

test.each([
	['America/New_York', '2026-03-08T01:30:00-04:00', '2026-03-08T06:30:00Z'],
	['America/New_York', '2026-03-08T03:30:00-05:00', '2026-03-08T07:30:00Z'],
	['America/New_York', '2026-11-01T00:30:00-05:00', '2026-11-01T04:30:00Z'],
	['America/New_York', '2026-11-01T03:30:00-04:00', '2026-11-01T08:30:00Z'],
	['America/Denver', '2027-07-01T09:00:00Z', '2027-07-01T15:00:00Z'],
	['Pacific/Honolulu', '2026-07-01T09:00:00-09:00', '2026-07-01T19:00:00Z']
])('[A19] in %s the wall time of %s is %s', (zone, told, meant) => {
	expect(readWhen(told, { candidates: [zone], trustsWall: true })).toEqual({
		at: Date.parse(meant),
		isOffsetWrong: true
	});
});
