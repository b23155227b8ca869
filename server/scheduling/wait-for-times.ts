// Standing in line: joining, seeing one's place, leaving, and saying that one still waits.
import { randomUUID } from 'node:crypto';
import { criteriaText } from '#domain/alert.ts';
import type { JoinWaiting } from '#domain/commands.ts';
import { WaitingId, type DeviceKey } from '#domain/ids.ts';
import type { RoomEntry } from '#domain/protocol.ts';
import { must, ok, refuse, type Result } from '#domain/result.ts';
import { MAX_WAITING_PER_DEVICE, type WaitingCriteria, type WaitingView } from '#domain/waiting.ts';
import type { Sql } from '../platform/postgres.ts';
import { readSchedulesById } from '../store/board.ts';
import { releaseHold } from '../store/holds.ts';
import { findRequest, keepRequest, lockDevice } from '../store/requests.ts';
import {
	deleteWaiting,
	insertWaiting,
	readWaiting,
	resumeWaiting as resume
} from '../store/waiting.ts';

type Deps = {
	readonly sql: Sql;
	readonly publish: (entries: readonly RoomEntry<unknown>[]) => void;
};
type Joined = Result<WaitingView, 'waiting_limit' | 'schedule_unknown' | 'request_reused'>;

const criteriaOf = ({ requestId: _requestId, ...criteria }: JoinWaiting): WaitingCriteria =>
	criteria;

/** G2: joining twice for the same is one place in line, and it is the first one. */
export const joinWaiting =
	({ sql }: Pick<Deps, 'sql'>) =>
	(device: DeviceKey, command: JoinWaiting): Promise<Joined> =>
		sql.begin(async (tx): Promise<Joined> => {
			await lockDevice(tx, device);
			const criteria = criteriaOf(command);
			const existing = await readWaiting(tx, device);
			const before = await findRequest(tx, device, command.requestId);
			const fingerprint = `wait:${criteriaText(criteria)}`;
			if (before !== null && before.fingerprint !== fingerprint) return refuse('request_reused');
			const same = existing.find((one) => criteriaText(one.criteria) === criteriaText(criteria));
			if (same !== undefined) return ok(same);
			if (existing.length >= MAX_WAITING_PER_DEVICE) return refuse('waiting_limit');
			if (criteria.scheduleId !== null) {
				const known = await readSchedulesById(tx, [criteria.scheduleId]);
				if (known.length === 0) return refuse('schedule_unknown');
			}
			const id = WaitingId.parse(randomUUID());
			await insertWaiting(tx, device, id, criteria);
			if (before === null) {
				await keepRequest(tx, device, command.requestId, { fingerprint, reply: { id } });
			}
			const made = (await readWaiting(tx, device)).find((one) => one.id === id);
			return ok(must(made, 'the place just taken'));
		});

/** Leaving gives the time back that was kept for this person, to the next in line. */
export const leaveWaiting =
	({ sql, publish }: Deps) =>
	async (device: DeviceKey, id: WaitingId): Promise<Result<null, 'waiting_unknown'>> => {
		const left = await deleteWaiting(sql, device, id);
		if (left === null) return refuse('waiting_unknown');
		if (left.holdId !== null) {
			const { entries } = await releaseHold(sql, device, left.holdId);
			if (entries.length > 0) publish(entries);
		}
		return ok(null);
	};

export const resumeWaiting =
	({ sql }: Pick<Deps, 'sql'>) =>
	async (device: DeviceKey, id: WaitingId): Promise<Result<null, 'waiting_unknown'>> =>
		(await resume(sql, device, id)) ? ok(null) : refuse('waiting_unknown');

export const listWaiting =
	({ sql }: Pick<Deps, 'sql'>) =>
	(device: DeviceKey): Promise<readonly WaitingView[]> =>
		readWaiting(sql, device);
