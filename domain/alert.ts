// Alerts: what a patient asked to be told, and what the hub tells. Episodes, not events.
import type { VisitKind } from './codes.ts';
import type { AlertSubscriptionId, EpisodeId, ScheduleId } from './ids.ts';
import type { Instant } from './time.ts';
import type { DayPart } from './zone.ts';

export const episodeKinds = ['opened', 'filling_up'] as const;
export type EpisodeKind = (typeof episodeKinds)[number];

/** A search, a provider (scheduleId) or a whole room (all filters open). */
export type AlertCriteria = {
	readonly specialty: string;
	readonly region: string;
	readonly scheduleId: ScheduleId | null;
	readonly kinds: readonly VisitKind[];
	readonly plan: string | null;
	readonly language: string | null;
	readonly dayPart: DayPart | 'any';
	readonly zone: string;
};

/** Equal for equal wishes, whatever the order of the kinds. */
export const criteriaText = (c: AlertCriteria): string =>
	JSON.stringify([
		c.specialty,
		c.region,
		c.scheduleId,
		c.kinds.toSorted(),
		c.plan,
		c.language,
		c.dayPart,
		c.zone
	]);

export type AlertSubscription = {
	readonly id: AlertSubscriptionId;
	readonly criteria: AlertCriteria;
	readonly createdAt: Instant;
};

/** Shown on the page and, with permission, as a notification. Holds no patient data. */
export type AlertNotice = {
	readonly subscriptionId: AlertSubscriptionId;
	readonly episodeId: EpisodeId;
	readonly kind: EpisodeKind;
	readonly scheduleId: ScheduleId;
	readonly practitionerName: string;
	readonly specialty: string;
	readonly region: string;
	readonly left: number;
	readonly of: number;
	readonly perHour: number;
	/** Start of the soonest open time, or null. */
	readonly soonestAt: Instant | null;
	readonly raisedAt: Instant;
};

export const MAX_SUBSCRIPTIONS_PER_DEVICE = 20;
