// The organisations of the simulated world: who they are, what they speak, and their quirks.
// Half of the large ones publish SMART Scheduling Links, half are FHIR R4 servers; odd and even rows alternate,
// so that a world of two organisations has one of each. Small practices speak what is left.

export type PracticeKind = 'fhir-operations' | 'cal-com' | 'ical' | 'mapped';
export type ClinicKind = 'smart-scheduling-links' | 'fhir-slots' | PracticeKind;

export type LinksProfile = {
	kind: 'smart-scheduling-links';
	/** 1.0 can only say place, service and free or busy; the draft of 2026 says who and how. */
	edition: '1.0' | '2-draft';
	/** The publisher's wish for the time between two polls. */
	maxAgeS: number;
	honoursSince: boolean;
	/** Slots carry a telephone number to book by. */
	phones: boolean;
	/** Some schedules are group visits with several places in one slot. */
	groups: boolean;
};

export type FhirProfile = {
	kind: 'fhir-slots';
	/** Booked slots are not listed, only readable by id. */
	listsOnlyFree: boolean;
	/** Slots may be changed by PUT; otherwise the Appointment alone decides. */
	slotWritable: boolean;
	/** What a stale If-Match is answered with: R4 says 412, older servers 409. */
	staleStatus: 409 | 412;
	history: boolean;
	/** Most entries of one page. */
	maxPage: number;
	/** A created Appointment is answered without a body. */
	emptyCreateBody: boolean;
};

/** A practice of one clinician, whose server speaks one of the formats of small/formats.ts. */
export type PracticeProfile = {
	kind: PracticeKind;
	format: 'find-argonaut' | 'cal-com' | 'calendar' | 'vendor';
	/** Its server takes bookings; otherwise people call. */
	takesBookings: boolean;
};

export type Profile = {
	key: string;
	name: string;
	/** Home regions of its clinicians, USPS codes. */
	homes: readonly string[];
	/** Specialties it leans to, filled up with others from the world's 25. */
	focus: readonly string[];
	/** Runs hot: its times are gone soon after they open. */
	hot: boolean;
	speaks: LinksProfile | FhirProfile | PracticeProfile;
};

const links = (
	edition: '1.0' | '2-draft',
	maxAgeS: number,
	quirks: Partial<LinksProfile> = {}
): LinksProfile => ({
	kind: 'smart-scheduling-links',
	edition,
	maxAgeS,
	honoursSince: false,
	phones: false,
	groups: false,
	...quirks
});

const fhir = (maxPage: number, quirks: Partial<FhirProfile> = {}): FhirProfile => ({
	kind: 'fhir-slots',
	listsOnlyFree: false,
	slotWritable: true,
	staleStatus: 412,
	history: false,
	maxPage,
	emptyCreateBody: false,
	...quirks
});

export const profiles: readonly Profile[] = [
	{
		key: 'larkspur-valley',
		name: 'Larkspur Valley Telehealth',
		homes: ['MT', 'ID', 'WY'],
		focus: ['dermatology', 'family-medicine', 'psychiatry', 'cardiology'],
		hot: false,
		speaks: links('2-draft', 10, { honoursSince: true, phones: true })
	},
	{
		key: 'prairie-lantern',
		name: 'Prairie Lantern Health',
		homes: ['ND', 'SD', 'NE', 'KS'],
		focus: ['family-medicine', 'dermatology', 'pediatrics', 'psychiatry'],
		hot: true,
		speaks: fhir(200, { history: true })
	},
	{
		key: 'hollow-creek',
		name: 'Hollow Creek Community Clinics',
		homes: ['WV', 'OH', 'PA'],
		focus: ['family-nurse-practitioner', 'addiction-medicine', 'clinical-social-work'],
		hot: false,
		speaks: links('1.0', 60, { phones: true })
	},
	{
		key: 'copper-mesa',
		name: 'Copper Mesa Medical Group',
		homes: ['NM', 'AZ', 'UT', 'NV'],
		focus: ['endocrinology', 'diabetes-education', 'family-medicine', 'gastroenterology'],
		hot: false,
		speaks: fhir(100, { listsOnlyFree: true, slotWritable: false, emptyCreateBody: true })
	},
	{
		key: 'northwater',
		name: 'Northwater Family Health',
		homes: ['MN', 'WI', 'MI', 'IA'],
		focus: ['diabetes-education', 'dietetics', 'pediatrics', 'lactation', 'physical-therapy'],
		hot: false,
		speaks: links('2-draft', 30, { honoursSince: true, groups: true })
	},
	{
		key: 'cedar-harbor',
		name: 'Cedar Harbor Care',
		homes: ['ME', 'NH', 'VT', 'MA', 'CT', 'RI', 'NY'],
		focus: ['psychology', 'neurology', 'family-medicine', 'sleep-medicine'],
		hot: false,
		speaks: fhir(250, { staleStatus: 409, history: true })
	},
	{
		key: 'delta-reach',
		name: 'Delta Reach Clinics',
		homes: ['MS', 'AL', 'AR', 'LA'],
		focus: ['cardiology', 'family-medicine', 'obstetrics-gynecology', 'urgent-care'],
		hot: true,
		speaks: links('1.0', 60)
	},
	{
		key: 'bluestem',
		name: 'Bluestem Plains Medical',
		homes: ['MO', 'OK', 'TX', 'IL'],
		focus: ['urgent-care', 'family-nurse-practitioner', 'rheumatology', 'pulmonology'],
		hot: false,
		speaks: fhir(500)
	},
	{
		key: 'tidewater-rural',
		name: 'Tidewater Rural Health Network',
		homes: ['VA', 'MD', 'DE', 'DC', 'NC', 'SC', 'NJ'],
		focus: ['clinical-social-work', 'psychiatry', 'speech-language-pathology', 'dermatology'],
		hot: true,
		speaks: links('2-draft', 20, { honoursSince: true, groups: true, phones: true })
	},
	{
		key: 'islands-path',
		name: 'Islands Path Virtual Care',
		homes: ['HI', 'GU', 'MP', 'AS', 'PR', 'VI'],
		focus: ['family-medicine', 'pediatrics', 'dermatology', 'mental-health-counseling'],
		hot: false,
		speaks: fhir(100, { listsOnlyFree: true, staleStatus: 409 })
	},
	{
		key: 'sugar-pine',
		name: 'Sugar Pine Community Health',
		homes: ['CA', 'OR', 'WA'],
		focus: ['psychology', 'genetic-counseling', 'family-nurse-practitioner', 'dietetics'],
		hot: false,
		speaks: links('1.0', 120)
	},
	{
		key: 'quiet-ridge',
		name: 'Quiet Ridge Behavioral Health',
		homes: ['CO', 'GA', 'FL', 'TN', 'KY', 'IN', 'AK'],
		focus: ['psychiatry', 'psychology', 'clinical-social-work', 'mental-health-counseling'],
		hot: true,
		speaks: fhir(1000, { slotWritable: false })
	}
];

const practice = (
	kind: PracticeKind,
	format: PracticeProfile['format'],
	takesBookings: boolean
): PracticeProfile => ({ kind, format, takesBookings });

/** One of each kind that large organisations do not speak. */
export const practices: readonly Profile[] = [
	{
		key: 'willow-bend',
		name: 'Willow Bend Dermatology',
		homes: ['CO'],
		focus: ['dermatology'],
		hot: false,
		speaks: practice('fhir-operations', 'find-argonaut', true)
	},
	{
		key: 'harvest-moon',
		name: 'Harvest Moon Counseling',
		homes: ['IA'],
		focus: ['mental-health-counseling'],
		hot: false,
		speaks: practice('cal-com', 'cal-com', true)
	},
	{
		key: 'stone-bridge',
		name: 'Stone Bridge Family Medicine',
		homes: ['KY'],
		focus: ['family-medicine'],
		hot: false,
		speaks: practice('ical', 'calendar', false)
	},
	{
		key: 'salt-marsh',
		name: 'Salt Marsh Psychiatry',
		homes: ['GA'],
		focus: ['psychiatry'],
		hot: true,
		speaks: practice('mapped', 'vendor', false)
	}
];
