import { expect, test } from 'vitest';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { startClinics } from '../../../demo/clinics/start.ts';
import { mustClose } from '../../support/leaks.ts';

test('[O13] the hub is told of a clinic only what holds for everyone there', async () => {
	await using running = mustClose(
		'clinics',
		await startClinics({ seed: 1, organisations: 3, slotCount: 300 })
	);
	const sources = running.clinics.map(sourceOf);
	expect(sources.map(({ kind, booking }) => [kind, booking])).toEqual([
		['smart-scheduling-links', 'link'],
		['fhir-slots', 'fhir'],
		['smart-scheduling-links', 'link']
	]);
	expect(sources.every(({ allowPrivate, notes }) => allowPrivate && notes.zone !== undefined)).toBe(
		true
	);
	// Only the third publishes the 1.0 edition, which cannot say where and how it sees patients.
	expect(sources.map(({ notes }) => notes.regions?.length ?? 0)).toEqual([0, 0, 3]);
});
