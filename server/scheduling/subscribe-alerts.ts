// Asking to be told: subscriptions of one device, and what it was told lately.
import { randomUUID } from 'node:crypto';
import {
	criteriaText,
	MAX_SUBSCRIPTIONS_PER_DEVICE,
	type AlertCriteria,
	type AlertNotice,
	type AlertSubscription
} from '#domain/alert.ts';
import type { SubscribeAlert } from '#domain/commands.ts';
import { AlertSubscriptionId, type DeviceKey } from '#domain/ids.ts';
import { must, ok, refuse, type Result } from '#domain/result.ts';
import type { Sql } from '../platform/postgres.ts';
import {
	deleteSubscription,
	insertSubscription,
	readNotices,
	readSubscriptions
} from '../store/alerts.ts';
import { readSchedulesById } from '../store/board.ts';
import { findRequest, keepRequest, lockDevice } from '../store/requests.ts';

type Deps = { readonly sql: Sql };
type Subscribed = Result<AlertSubscription, 'subscription_limit' | 'schedule_unknown'>;

const criteriaOf = ({ requestId: _requestId, ...criteria }: SubscribeAlert): AlertCriteria =>
	criteria;

/** L6: asking twice for the same is one subscription, whatever the request ids. */
export const subscribeAlert =
	({ sql }: Deps) =>
	(device: DeviceKey, command: SubscribeAlert): Promise<Subscribed> =>
		sql.begin(async (tx): Promise<Subscribed> => {
			await lockDevice(tx, device);
			const criteria = criteriaOf(command);
			const existing = await readSubscriptions(tx, device);
			const before = await findRequest(tx, device, command.requestId);
			const same = existing.find(
				(one) =>
					one.id === before?.reply.id || criteriaText(one.criteria) === criteriaText(criteria)
			);
			if (same !== undefined) return ok(same);
			if (existing.length >= MAX_SUBSCRIPTIONS_PER_DEVICE) return refuse('subscription_limit');
			if (criteria.scheduleId !== null) {
				const known = await readSchedulesById(tx, [criteria.scheduleId]);
				if (known.length === 0) return refuse('schedule_unknown');
			}
			const id = AlertSubscriptionId.parse(randomUUID());
			await insertSubscription(tx, device, id, criteria);
			const kept = { fingerprint: `alert:${criteriaText(criteria)}`, reply: { id } };
			if (before === null) await keepRequest(tx, device, command.requestId, kept);
			const made = (await readSubscriptions(tx, device)).find((one) => one.id === id);
			return ok(must(made, 'the subscription just made'));
		});

export const unsubscribeAlert =
	({ sql }: Deps) =>
	async (
		device: DeviceKey,
		id: AlertSubscriptionId
	): Promise<Result<null, 'subscription_unknown'>> =>
		(await deleteSubscription(sql, device, id)) ? ok(null) : refuse('subscription_unknown');

export const listAlerts =
	({ sql }: Deps) =>
	(device: DeviceKey): Promise<readonly AlertSubscription[]> =>
		readSubscriptions(sql, device);

export const listNotices =
	({ sql }: Deps) =>
	(device: DeviceKey): Promise<readonly AlertNotice[]> =>
		readNotices(sql, device);
