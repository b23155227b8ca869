// A source tells us of changes: whoever may, once, and durably before it is answered. What is told is
// acted upon after that: slots told in full are written at once, everything else asks for a poll.
import { z } from 'zod';
import { hear, type Verdict } from '#domain/push/subscription.ts';
import { parseNotification, type Notification } from '#domain/push/notification.ts';
import {
	isInTime,
	isMessageId,
	readSignatures,
	readTimestamp,
	signedPrefix
} from '#domain/push/webhook.ts';
import { ok, refuse, type Result } from '#domain/result.ts';
import type { Clock } from '#domain/time.ts';
import { aboutSource, type Log } from '../platform/log.ts';
import type { Sql } from '../platform/postgres.ts';
import { digestOf, isBearerOf, isSignedBy } from '../platform/push-keys.ts';
import {
	findPushSource,
	recordNotification,
	recordWebhook,
	type PushSource,
	type PushWay
} from '../store/push.ts';

/** A message as it came; header names in lower case. */
export type PushMessage = {
	readonly source: string;
	readonly header: (name: string) => string;
	readonly body: Buffer;
};

/** `taken`: it counts. `repeated`: it counted before, and is not counted again. */
export type PushTaken = { readonly outcome: 'taken' | 'repeated' };
export type PushRefusal = 'push_not_signed' | 'push_out_of_time' | 'bad_request';
export type TakePush = (message: PushMessage) => Promise<Result<PushTaken, PushRefusal>>;

export type TakePushDeps = {
	readonly sql: Sql;
	readonly clock: Clock;
	readonly log: Log;
	/** Keys of a source, the current one first; none = it may not push. */
	readonly keysOf: (source: PushSource) => Promise<readonly string[]>;
	/** Told after the record is durable; must not throw. */
	readonly apply: (source: PushSource) => void;
};

type Known = { readonly source: PushSource; readonly keys: readonly string[] };
type Answer = Result<PushTaken, PushRefusal>;

const parseJson = (body: Buffer): unknown => {
	try {
		const value: unknown = JSON.parse(body.toString('utf8'));
		return value;
	} catch {
		return undefined;
	}
};

const takeSigned = async (
	{ sql }: TakePushDeps,
	{ source }: Known,
	message: { readonly way: PushWay; readonly id: Buffer }
): Promise<Answer> => {
	// What changed is for the source's own API to say: a signal, whatever the payload claims.
	const news = { changes: 1, slots: [] };
	const isNew = await recordWebhook(sql, { ...message, sourceId: source.id, news });
	return ok({ outcome: isNew ? 'taken' : 'repeated' });
};

/** Y2, Y3: Standard Webhooks. Nothing of the body is parsed before its signature fits. */
const takeWebhook = async (
	deps: TakePushDeps,
	known: Known,
	{ header, body }: PushMessage
): Promise<Answer> => {
	const id = header('webhook-id');
	const timestamp = header('webhook-timestamp');
	const sentAt = readTimestamp(timestamp);
	if (!isMessageId(id) || sentAt === null) return refuse('push_not_signed');
	const signed = {
		prefix: signedPrefix(id, timestamp),
		body,
		encoding: 'base64',
		signatures: readSignatures(header('webhook-signature'))
	} as const;
	if (!isSignedBy(known.keys, signed)) return refuse('push_not_signed');
	if (!isInTime(sentAt, deps.clock.now())) return refuse('push_out_of_time');
	if (parseJson(body) === undefined) return refuse('bad_request');
	return await takeSigned(deps, known, { way: 'webhook', id: digestOf(id) });
};

const CalComMessage = z.object({
	triggerEvent: z.string().max(100),
	createdAt: z.iso.datetime({ offset: true })
});

/** Y4: Cal.com signs the body alone; the time in it is signed with it. */
const takeCalCom = async (
	deps: TakePushDeps,
	known: Known,
	{ header, body }: PushMessage
): Promise<Answer> => {
	const signatures = [header('x-cal-signature-256')];
	if (!isSignedBy(known.keys, { prefix: '', body, encoding: 'hex', signatures })) {
		return refuse('push_not_signed');
	}
	const parsed = CalComMessage.safeParse(parseJson(body)).data;
	if (parsed === undefined) return refuse('bad_request');
	if (!isInTime(Date.parse(parsed.createdAt), deps.clock.now())) return refuse('push_out_of_time');
	return await takeSigned(deps, known, { way: 'cal-com', id: digestOf(body) });
};

/** Beyond so many one more makes no difference to when a poll is worth it. */
const MOST_CHANGES = 100_000;

/** Y8, Y9: what a poll must find because the notification does not carry it. */
const changesFor = (lost: number, news: readonly number[], told: Notification): number =>
	Math.min(MOST_CHANGES, lost + Math.max(0, news.length - told.slots.length));

/** What an operator must know; the rest is counted in the store. */
const tellOperator = (log: Log, { id, key }: PushSource, verdict: Verdict, lost: number): void => {
	const fields = aboutSource(id, key);
	if (verdict === 'broken') log.error('push_broken', fields);
	else if (verdict === 'gap') log.warn('push_gap', { ...fields, lost });
	else if (verdict === 'restarted') log.warn('push_restarted', fields);
	else if (verdict === 'began') log.info('push_began', fields);
};

const takeNotification = async (
	deps: TakePushDeps,
	{ source, keys }: Known,
	{ header, body }: PushMessage
): Promise<Answer> => {
	if (!isBearerOf(keys, header('authorization'))) return refuse('push_not_signed');
	const told = parseNotification(parseJson(body));
	if (told === null) return refuse('bad_request');
	const heard = await recordNotification(deps.sql, source.id, (state) => {
		const found = hear(state, told);
		const changes = changesFor(found.lost, found.news, told);
		const slots = found.news.length === 0 ? [] : told.slots;
		return { ...found, news: { changes, slots } };
	});
	tellOperator(deps.log, source, heard.verdict, heard.lost);
	if (heard.wasSilent) deps.log.info('push_back', aboutSource(source.id, source.key));
	if (heard.news.slots.length > 0) deps.apply(source);
	return ok({ outcome: heard.verdict === 'repeat' ? 'repeated' : 'taken' });
};

/** Y1: an unknown source and a wrong key sound alike, and are told before anything is read. */
export const takePush =
	(deps: TakePushDeps): TakePush =>
	async (message) => {
		const source = await findPushSource(deps.sql, message.source);
		const keys = source === null ? [] : await deps.keysOf(source);
		if (source === null || keys.length === 0) return refuse('push_not_signed');
		const known = { source, keys };
		if (message.header('webhook-signature') !== '') return await takeWebhook(deps, known, message);
		if (message.header('x-cal-signature-256') !== '') return await takeCalCom(deps, known, message);
		return await takeNotification(deps, known, message);
	};
