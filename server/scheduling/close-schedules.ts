// A clinic closes its practitioners' times here, or opens them again: today, or until it says
// otherwise. Its own calendar is not touched, nor what is booked or held already.
import type { ClinicSchedules } from '#domain/api.ts';
import type { ScheduleId } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { ok, refuse } from '#domain/result.ts';
import type { Sql } from '../platform/postgres.ts';
import {
	isOwnSchedule,
	listClinicSchedules,
	setClosing,
	type ClosingDone
} from '../store/closings.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
	/** May fail: then alerts are looked at with the next change. */
	readonly addAlerts: (ids: readonly ScheduleId[]) => Promise<unknown>;
};

export const clinicSchedules = ({ sql, publish, addAlerts }: Deps): ClinicSchedules => ({
	list: (source) => listClinicSchedules(sql, source),
	close: async (source, schedule, closing) => {
		if (schedule !== null && !(await isOwnSchedule(sql, source, schedule))) {
			return refuse('schedule_unknown');
		}
		const done = await sql.begin<ClosingDone>((tx) =>
			setClosing(tx, { source, schedule }, closing)
		);
		if (done.entries.length > 0) publish(done.entries);
		if (done.touched.length > 0) await addAlerts(done.touched);
		return ok(null);
	}
});
