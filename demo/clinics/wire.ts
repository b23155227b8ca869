// The few FHIR R4 shapes the clinics write. Narrow on purpose: what a clinic never sends is absent.

export type Coding = { system: string; code: string; display?: string };
export type CodeableConcept = { coding: Coding[] };
export type Identifier = { system: string; value: string };
export type Reference = { reference: string; display?: string };
export type Meta = { versionId: string; lastUpdated: string };

export type Extension = {
	url: string;
	valueCode?: string;
	valueString?: string;
	valueUrl?: string;
	valueInteger?: number;
	valueCoding?: Coding;
	valueCodeableConcept?: CodeableConcept;
	valueReference?: Reference;
	extension?: Extension[];
};

type Address = {
	line?: string[];
	city?: string;
	state: string;
	postalCode?: string;
	country: string;
};

/** A resource of the directory; the fields of its type beside the ones all share. */
export type DirectoryRecord = {
	resourceType:
		| 'HealthcareService'
		| 'InsurancePlan'
		| 'Location'
		| 'Organization'
		| 'Practitioner'
		| 'PractitionerRole'
		| 'Schedule';
	id: string;
	meta?: Meta;
	extension?: Extension[];
	identifier?: Identifier[];
	name?:
		| string
		| { use: string; text: string; family: string; given: string[]; suffix: string[] }[];
	active?: boolean;
	status?: 'active';
	mode?: 'instance' | 'kind';
	type?: CodeableConcept[];
	serviceType?: CodeableConcept[];
	specialty?: CodeableConcept[];
	communication?: CodeableConcept[];
	physicalType?: CodeableConcept;
	telecom?: { system: 'phone' | 'url'; value: string }[];
	address?: Address;
	actor?: Reference[];
	/** One reference in most resources, a list in HealthcareService and PractitionerRole. */
	location?: Reference[];
	healthcareService?: Reference[];
	network?: Reference[];
	practitioner?: Reference;
	organization?: Reference;
	providedBy?: Reference;
	managingOrganization?: Reference;
	planningHorizon?: { start: string; end: string };
	comment?: string;
};

export type SlotRecord = {
	resourceType: 'Slot';
	id: string;
	meta?: Meta;
	extension?: Extension[];
	serviceType?: CodeableConcept[];
	appointmentType?: CodeableConcept;
	schedule: Reference;
	status: 'free' | 'busy' | 'busy-tentative' | 'busy-unavailable';
	start: string;
	end: string;
};

/** An Appointment as the clinic answers it: what was posted, under the clinic's id and version. */
export type AppointmentRecord = Readonly<Record<string, unknown>> & {
	resourceType: 'Appointment';
	id: string;
	meta: Meta;
	status: 'booked' | 'pending' | 'cancelled';
};
