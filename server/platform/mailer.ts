// Sends e-mails by any SMTP server. What the server says of a message becomes one of three words;
// its own text, which may quote an address, goes nowhere.
import { createTransport } from 'nodemailer';

export type Message = {
	/** The same for every attempt at this message, so that a repeat can be known for one. */
	readonly messageId: string;
	readonly to: string;
	readonly subject: string;
	readonly text: string;
	readonly html: string;
	readonly calendar: { readonly method: 'REQUEST' | 'CANCEL'; readonly content: string };
};

export type Mailer = {
	readonly from: string;
	/** `refused` = for good (5xx); `failed` = not now. Throws nothing. */
	send(message: Message): Promise<'sent' | 'refused' | 'failed'>;
	close(): void;
};

const CONNECT_MS = 10_000;
const SILENCE_MS = 20_000;

const codeOf = (error: unknown): number => {
	const code =
		typeof error === 'object' && error !== null ? Reflect.get(error, 'responseCode') : undefined;
	return typeof code === 'number' ? code : 0;
};

/** One connection per message: they are few, and none is left to grow stale. */
export const createMailer = (options: {
	/** `smtp://user:secret@host:587` or `smtps://…`. */
	readonly url: string;
	readonly from: string;
}): Mailer => {
	const transport = createTransport({
		url: options.url,
		connectionTimeout: CONNECT_MS,
		greetingTimeout: CONNECT_MS,
		socketTimeout: SILENCE_MS,
		disableFileAccess: true,
		disableUrlAccess: true
	});
	return {
		from: options.from,
		send: async ({ messageId, to, subject, text, html, calendar }) => {
			try {
				await transport.sendMail({
					messageId,
					from: { name: 'Slotcast', address: options.from },
					to: { name: '', address: to },
					subject,
					text,
					html,
					icalEvent: { ...calendar, filename: 'visit.ics' },
					// Holiday notes and the like are for nobody here.
					headers: { 'Auto-Submitted': 'auto-generated' }
				});
				return 'sent';
			} catch (error) {
				const code = codeOf(error);
				return code >= 500 && code < 600 ? 'refused' : 'failed';
			}
		},
		close: () => transport.close()
	};
};
