// Alerts: looks at the supply of schedules that changed, begins and ends episodes, and says whom to
// tell. From complete answers only; the first look at a schedule tells nobody anything.
import type { AlertNotice, EpisodeKind } from '#domain/alert.ts';
import { decideFilling, decideOpened, isCoolingDown } from '#domain/availability.ts';
import { matchesDayPart, matchesSchedule } from '#domain/board.ts';
import type { EpisodeId, ScheduleId } from '#domain/ids.ts';
import { checkInsurance } from '#domain/insurance.ts';
import { MINUTE_MS, toInstant } from '#domain/time.ts';
import type { Sql, Tx } from '../platform/postgres.ts';
import {
	beginEpisode,
	endEpisode,
	keepSupplies,
	lockSupplies,
	matchSubscriptions,
	raiseNotices,
	readSupply,
	type Candidate,
	type RaisedNotice,
	type ScheduleSupply
} from '../store/alerts.ts';

export type { RaisedNotice } from '../store/alerts.ts';

/** L5: what a subscription asks for decides, and what a calendar does not say does not exclude. */
const isWanted = (supply: ScheduleSupply, { criteria }: Candidate): boolean =>
	matchesSchedule(criteria, supply) &&
	checkInsurance(supply.planIds, criteria.plan) !== 'no' &&
	(criteria.dayPart === 'any' ||
		supply.openMinutes.some((minute) => matchesDayPart(criteria, toInstant(minute * MINUTE_MS))));

const noticeFor = (
	supply: ScheduleSupply,
	episode: { readonly id: EpisodeId; readonly kind: EpisodeKind },
	{ id, criteria }: Candidate
): AlertNotice => {
	const soonest = supply.openMinutes[0];
	return {
		subscriptionId: id,
		episodeId: episode.id,
		kind: episode.kind,
		scheduleId: supply.scheduleId,
		practitionerName: supply.practitionerName,
		specialty: criteria.specialty,
		region: criteria.region,
		left: supply.left,
		of: supply.of,
		perHour: supply.takenLately,
		soonestAt: soonest === undefined ? null : toInstant(soonest * MINUTE_MS),
		raisedAt: supply.asOf
	};
};

const begin = async (
	tx: Tx,
	supply: ScheduleSupply,
	kind: EpisodeKind
): Promise<RaisedNotice[]> => {
	const id = await beginEpisode(tx, supply, kind);
	if (id === null) return [];
	const told = new Set<string>();
	const raised: RaisedNotice[] = [];
	for (const candidate of await matchSubscriptions(tx, supply, kind)) {
		const { deviceKey, lastToldAt } = candidate;
		// Two subscriptions of one device that both match are one person to tell once.
		if (told.has(deviceKey) || isCoolingDown(lastToldAt, supply.asOf)) continue;
		if (!isWanted(supply, candidate)) continue;
		told.add(deviceKey);
		raised.push({ device: deviceKey, notice: noticeFor(supply, { id, kind }, candidate) });
	}
	return await raiseNotices(tx, raised);
};

const look = async (tx: Tx, supply: ScheduleSupply): Promise<RaisedNotice[]> => {
	const { openedEpisode, fillingEpisode, leftBefore, left, newlyOpen } = supply;
	const raised: RaisedNotice[] = [];
	// L2: told once until the supply was empty again.
	if (openedEpisode !== null && left === 0) await endEpisode(tx, openedEpisode);
	if (openedEpisode === null && leftBefore !== null && decideOpened(leftBefore, left, newlyOpen)) {
		raised.push(...(await begin(tx, supply, 'opened')));
	}
	const isFilling = decideFilling(supply, fillingEpisode !== null);
	if (fillingEpisode !== null && !isFilling) await endEpisode(tx, fillingEpisode);
	if (fillingEpisode === null && isFilling && leftBefore !== null) {
		raised.push(...(await begin(tx, supply, 'filling_up')));
	}
	return raised;
};

/**
 * Returns the notices to tell, each with its device; they are kept before they are returned, so
 * that a device that was not reached finds them. At most 500 schedules at a time.
 */
export const raiseAlerts =
	({ sql }: { readonly sql: Sql }) =>
	(scheduleIds: readonly ScheduleId[]): Promise<readonly RaisedNotice[]> =>
		sql.begin(async (tx) => {
			const ids = [...new Set(scheduleIds)].slice(0, 500);
			await lockSupplies(tx, ids);
			const looked = [...(await readSupply(tx, ids)).values()].filter((s) => s.isComplete);
			const raised: RaisedNotice[] = [];
			for (const supply of looked) raised.push(...(await look(tx, supply)));
			await keepSupplies(tx, looked);
			return raised;
		});
