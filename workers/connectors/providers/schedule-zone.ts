// In which zone a schedule lives, and who says so. A zone that is only a state's default is good
// enough to show times, but not to call an offset wrong.
import { findRegion, findRegionByUsps, regions, type Region } from '#domain/codes.ts';
import type { OperatorNotes } from '#domain/source.ts';
import { isZone } from '#domain/zone.ts';
import { extensionsOf, textOf, type Json } from './fhir-shapes.ts';

const timezoneUrl = 'http://hl7.org/fhir/StructureDefinition/timezone';

/**
 * `source`: an extension says it. `notes`: the operator does. `state`: the only zone of the state
 * of its address. `state_default`: the commonest zone of that state. `none`: nobody; UTC is shown.
 */
export type ZoneWitness = 'source' | 'notes' | 'state' | 'state_default' | 'none';

export type ScheduleZone = {
	readonly zone: string;
	readonly from: ZoneWitness;
	/** An offset that fits none of these is wrong; empty = cannot be judged. */
	readonly candidates: readonly string[];
};

const regionByName = new Map(regions.map((region) => [region.name.toLowerCase(), region]));

/** A region of `MT`, `US-MT` or `Montana`. */
export const regionOfText = (text: string): Region | undefined => {
	const upper = text.trim().toUpperCase();
	return (
		findRegionByUsps(upper) ?? findRegion(upper) ?? regionByName.get(text.trim().toLowerCase())
	);
};

const toldZone = (resource: Json): string | null => {
	for (const extension of extensionsOf(resource, (url) => url === timezoneUrl)) {
		const zone = textOf(extension['valueCode'] ?? extension['valueString'], 60);
		if (zone !== '' && isZone(zone)) return zone;
	}
	return null;
};

/** `resources`: the schedule and its actors, nearest first. `states`: of their addresses. */
export const zoneOfSchedule = (
	resources: readonly Json[],
	states: readonly Region[],
	notes: OperatorNotes
): ScheduleZone => {
	for (const resource of resources) {
		const zone = toldZone(resource);
		if (zone !== null) return { zone, from: 'source', candidates: [zone] };
	}
	if (notes.zone !== undefined)
		return { zone: notes.zone, from: 'notes', candidates: [notes.zone] };
	const state = states[0];
	if (state === undefined) return { zone: 'UTC', from: 'none', candidates: [] };
	return {
		zone: state.defaultTimeZone,
		from: state.multipleTimeZones ? 'state_default' : 'state',
		candidates: state.timeZones
	};
};
