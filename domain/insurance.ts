// Insurance: does this provider take my kind of plan? Never a bare "yes": the directory's word.
export type InsuranceAnswer = 'yes' | 'no' | 'unknown' | 'not_asked';

/** I1: no when the source lists its plans and mine is not there; unknown when it lists none. */
export const checkInsurance = (
	planIds: readonly string[] | null,
	planId: string | null
): InsuranceAnswer => {
	if (planId === null) return 'not_asked';
	// Paying oneself needs no network; a provider that takes no self-payers does not say so.
	if (planIds === null || planIds.length === 0) return 'unknown';
	return planIds.includes(planId) ? 'yes' : 'no';
};
