// The code lists a clinic uses: read from the project's data files, narrowed to what is worn here.
import modalityList from '../../domain/data/modalities.json' with { type: 'json' };
import planTypeList from '../../domain/data/plan-types.json' with { type: 'json' };
import regionList from '../../domain/data/regions.json' with { type: 'json' };
import specialtyList from '../../domain/data/specialties.json' with { type: 'json' };
import { must } from '#domain/result.ts';

export type VisitKind = 'video' | 'phone' | 'chat';
export type Coding = { system: string; code: string; display: string };
export type Specialty = { id: string; name: string; coding: Coding; serviceType: Coding };
export type Region = { usps: string; name: string; timeZones: readonly string[] };

/** Specialties that every region must be able to find. */
export const commonSpecialtyIds = [
	'family-medicine',
	'family-nurse-practitioner',
	'pediatrics',
	'psychiatry',
	'clinical-social-work',
	'dermatology',
	'urgent-care',
	'cardiology'
] as const;

/** The 25 specialties of the simulated world, common ones first. */
export const specialtyIds: readonly string[] = [
	...commonSpecialtyIds,
	'internal-medicine',
	'psychology',
	'mental-health-counseling',
	'addiction-medicine',
	'obstetrics-gynecology',
	'lactation',
	'endocrinology',
	'diabetes-education',
	'gastroenterology',
	'pulmonology',
	'rheumatology',
	'neurology',
	'sleep-medicine',
	'dietetics',
	'physical-therapy',
	'speech-language-pathology',
	'genetic-counseling'
];

const specialties = new Map<string, Specialty>(
	specialtyList.specialties.map((each) => [
		each.id,
		{
			id: each.id,
			name: each.consumerName,
			coding: { system: each.system, code: each.code, display: each.display },
			serviceType: {
				system: each.serviceType.system,
				code: each.serviceType.code,
				display: each.serviceType.display
			}
		}
	])
);

const regions = new Map<string, Region>(
	regionList.regions.map((each) => [
		each.usps,
		{
			usps: each.usps,
			name: each.name,
			timeZones: [
				each.defaultTimeZone,
				...each.timeZones.filter((zone) => zone !== each.defaultTimeZone)
			]
		}
	])
);

const planTypes = new Map<string, Coding>(
	planTypeList.planTypes.map(({ id, system, code, display }) => [id, { system, code, display }])
);

const modalities = new Map<string, Coding>(
	modalityList.modalities.map(({ id, system, code, display }) => [id, { system, code, display }])
);

export const allUsps: readonly string[] = [...regions.keys()];

export const specialtyOf = (id: string): Specialty => must(specialties.get(id), `specialty ${id}`);
export const regionOf = (usps: string): Region => must(regions.get(usps), `region ${usps}`);
export const planTypeOf = (id: string): Coding => must(planTypes.get(id), `plan type ${id}`);
export const modalityOf = (kind: VisitKind): Coding => must(modalities.get(kind), kind);

/** Languages clinicians speak, as BCP 47 codes. */
export const languageNames: Readonly<Record<string, string>> = {
	en: 'English',
	es: 'Spanish',
	zh: 'Chinese',
	vi: 'Vietnamese',
	tl: 'Tagalog',
	fr: 'French',
	hmn: 'Hmong',
	nv: 'Navajo',
	ase: 'American Sign Language'
};
