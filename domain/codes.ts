// The code lists the whole project speaks: specialties, regions, plans, visit kinds.
// The files in domain/data name their sources.
import modalityFile from './data/modalities.json' with { type: 'json' };
import planFile from './data/plan-types.json' with { type: 'json' };
import regionFile from './data/regions.json' with { type: 'json' };
import specialtyFile from './data/specialties.json' with { type: 'json' };

export const visitKinds = ['video', 'phone', 'chat'] as const;
/** How the visit is held. Codes and words: domain/data/modalities.json. */
export type VisitKind = (typeof visitKinds)[number];
export const isVisitKind = (text: string): text is VisitKind =>
	(visitKinds as readonly string[]).includes(text);

export type Specialty = (typeof specialtyFile.specialties)[number];
export type Region = (typeof regionFile.regions)[number];
export type PlanType = (typeof planFile.planTypes)[number];
export type Modality = (typeof modalityFile.modalities)[number];

export const specialties: readonly Specialty[] = specialtyFile.specialties;
export const regions: readonly Region[] = regionFile.regions;
export const planTypes: readonly PlanType[] = planFile.planTypes;
export const modalities: readonly Modality[] = modalityFile.modalities;

const specialtyById = new Map(specialties.map((s) => [s.id, s]));
const regionByCode = new Map(regions.map((r) => [r.code, r]));
const regionByUsps = new Map(regions.map((r) => [r.usps, r]));
const planById = new Map(planTypes.map((p) => [p.id, p]));

export const findSpecialty = (id: string): Specialty | undefined => specialtyById.get(id);
/** By ISO 3166-2 code, `US-MT`. */
export const findRegion = (code: string): Region | undefined => regionByCode.get(code);
/** By the two USPS letters, `MT`. */
export const findRegionByUsps = (usps: string): Region | undefined => regionByUsps.get(usps);
export const findPlanType = (id: string): PlanType | undefined => planById.get(id);

export type Coding = {
	readonly system?: string | undefined;
	readonly code?: string | undefined;
};

const specialtyByCoding = new Map<string, string>();
for (const s of specialties) {
	specialtyByCoding.set(`${s.system}|${s.code}`, s.id);
	for (const snomed of s.snomedCt) {
		const key = `${snomed.system}|${snomed.code}`;
		if (!specialtyByCoding.has(key)) specialtyByCoding.set(key, s.id);
	}
	const key = `${s.serviceType.system}|${s.serviceType.code}`;
	if (s.serviceType.match === 'close' && !specialtyByCoding.has(key)) {
		specialtyByCoding.set(key, s.id);
	}
}

/** Our specialty of a foreign coding (NUCC, SNOMED CT, HL7 service-type), or undefined. */
export const specialtyOfCoding = (coding: Coding): string | undefined =>
	specialtyByCoding.get(`${coding.system ?? ''}|${coding.code ?? ''}`);

const kindByCode = new Map<string, VisitKind>();
for (const m of modalities) {
	if (isVisitKind(m.id)) kindByCode.set(`${m.system}|${m.code}`, m.id);
}

/** Our visit kind of a virtual-healthcare-delivery-method coding, or undefined. */
export const visitKindOfCoding = (coding: Coding): VisitKind | undefined =>
	kindByCode.get(`${coding.system ?? ''}|${coding.code ?? ''}`);
