import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planTypes, regions, specialties, visitKinds } from '#domain/codes.ts';
import { findReasons, groupReasons } from '#lib/reasons.ts';
import { readSearch, writeSearch } from '#lib/search.ts';

const read = (text: string) => readSearch(new URLSearchParams(text));

const searches = fc.record({
	specialty: fc.constantFrom(...specialties.map(({ id }) => id)),
	region: fc.constantFrom(...regions),
	kinds: fc.subarray([...visitKinds]),
	plan: fc.option(fc.constantFrom(...planTypes.map(({ id }) => id))),
	when: fc.constantFrom('any', 'morning', 'afternoon', 'evening'),
	language: fc.option(fc.constantFrom('en', 'es', 'ase')),
	only: fc.boolean()
});

describe('[U1] a search in the URL', () => {
	test('[U1] reads back as the same search', () => {
		fc.assert(
			fc.property(searches, ({ specialty, region, kinds, plan, when, language, only }) => {
				const params = new URLSearchParams({ specialty, region: region.code, when });
				for (const kind of kinds) params.append('kind', kind);
				if (plan !== null) params.set('plan', plan);
				if (language !== null) params.set('lang', language);
				if (only) params.set('only', '1');
				const zone = region.timeZones.at(-1);
				if (zone !== undefined) params.set('zone', zone);
				const first = readSearch(params);
				expect(first.ok).toBe(true);
				if (!first.ok) return;
				expect(readSearch(new URLSearchParams(writeSearch(first.value)))).toEqual(first);
			})
		);
	});

	test.each([
		['region=US-MT', 'unknown_specialty'],
		['specialty=dermatology', 'unknown_region'],
		['specialty=magic&region=US-MT', 'unknown_specialty']
	])('[U1] %s is refused: %s', (text, reason) => {
		expect(read(text)).toMatchObject({ ok: false, reason });
	});

	test('[U1] a region may be typed in lower case', () => {
		const found = read('specialty=dermatology&region=us-mt');
		expect(found).toMatchObject({ ok: true, value: { region: 'US-MT' } });
	});

	test('[U1] values that are not understood count as not asked', () => {
		const found = read(
			'specialty=dermatology&region=US-MT&kind=magic&plan=x&when=noon&lang=%3Cb&zone=Mars%2FBase&only=1'
		);
		expect(found).toEqual({
			ok: true,
			value: {
				specialty: 'dermatology',
				region: 'US-MT',
				kinds: [],
				plan: null,
				planOnly: false,
				dayPart: 'any',
				language: null,
				zone: 'America/Denver',
				scheduleId: null
			}
		});
	});
});

describe('[U2] reasons', () => {
	test.each([
		['Skin doctor', 'dermatology'],
		['  SKIN   dóctor ', 'dermatology'],
		['PCP', 'family-medicine'],
		['dermatol', 'dermatology']
	])('[U2] "%s" finds %s first', (text, id) => {
		expect(findReasons(text)[0]?.id).toBe(id);
	});

	test('[U2] nothing typed lists all, nonsense lists none, groups lose nobody', () => {
		expect(findReasons(' ')).toHaveLength(specialties.length);
		expect(findReasons('xyzzy plugh')).toEqual([]);
		const grouped = groupReasons(specialties).flatMap(({ reasons }) => reasons);
		expect(grouped.map(({ id }) => id).toSorted()).toEqual(
			specialties.map(({ id }) => id).toSorted()
		);
	});
});
