// The e-mail part of a workers' process: null without a mail server, and then nothing is noted that
// would never be sent.
import { systemClock } from '#server/platform/clock.ts';
import type { Config } from '#server/platform/config.ts';
import type { Log } from '#server/platform/log.ts';
import { createMailer } from '#server/platform/mailer.ts';
import type { PhiCipher } from '#server/platform/phi.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { linkOf } from '#server/scheduling/manage-visit.ts';
import { claimMail, dropMail, markSent, postponeMail, readMail } from '#server/store/mails.ts';
import { createJobWorker, type JobWorker } from './jobs/job-worker.ts';
import { MAILS_EVERY_MS, sendDueMails } from './jobs/reconcile.ts';
import type { Loop } from './jobs/repeat.ts';
import { createSendMail, sendClaimedMail, type MailDeps } from './jobs/send-mail.ts';
import { MailJob, concurrencies } from './queues.ts';

type Parts = {
	readonly config: Config;
	readonly sql: Sql;
	readonly phi: PhiCipher;
	readonly log: Log;
};

export type Mails = {
	readonly worker: JobWorker;
	readonly loop: Loop;
	readonly close: () => void;
};

/** Starts taking jobs at once. */
export const openMails = ({ config, sql, phi, log }: Parts): Mails | null => {
	if (config.smtpUrl === '') return null;
	const mailer = createMailer({ url: config.smtpUrl, from: config.mailFrom });
	const { linkKey, publicUrl } = config;
	const deps: MailDeps = {
		mails: {
			claim: (id, leaseMs) => claimMail(sql, id, leaseMs),
			read: (id) => readMail(sql, phi, id),
			sent: (id) => markSent(sql, id),
			drop: (id) => dropMail(sql, id),
			postpone: (id, retryInMs) => postponeMail(sql, id, retryInMs)
		},
		mailer,
		linkOf: (bookingId) => linkOf({ sql, linkKey, publicUrl }, bookingId),
		clock: systemClock,
		log
	};
	const send = createSendMail(deps);
	return {
		worker: createJobWorker({
			queue: 'mails',
			schema: MailJob,
			run: ({ mailId }) => send(mailId),
			redis: { url: config.redisUrl, prefix: config.redisPrefix },
			concurrency: concurrencies.mails,
			log
		}),
		loop: {
			name: 'send-due-mails',
			everyMs: MAILS_EVERY_MS,
			run: sendDueMails({ sql, send: sendClaimedMail(deps) })
		},
		close: mailer.close
	};
};
