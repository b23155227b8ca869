// A real SMTP server that keeps what it is sent, and can be told to refuse, or to do something before
// it says yes.
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { must } from '#domain/result.ts';
import { mustClose } from './leaks.ts';

export type Part = {
	readonly type: string;
	readonly headers: ReadonlyMap<string, string>;
	readonly text: string;
};

export type Received = {
	readonly to: readonly string[];
	readonly headers: ReadonlyMap<string, string>;
	readonly parts: readonly Part[];
	readonly raw: string;
};

const readHeaders = (block: string): Map<string, string> =>
	new Map(
		block
			.replaceAll(/\r\n[ \t]+/g, ' ')
			.split('\r\n')
			.map((line) => {
				const at = line.indexOf(':');
				return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
			})
	);

const decode = (body: string, encoding: string): string => {
	if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
	if (encoding !== 'quoted-printable') return body;
	const bytes = body
		.replaceAll('=\r\n', '')
		.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
	return Buffer.from(bytes, 'latin1').toString('utf8');
};

/** The leaves of a MIME message (RFC 2045, 2046), in order. */
const readParts = (message: string): Part[] => {
	const end = message.indexOf('\r\n\r\n');
	const headers = readHeaders(message.slice(0, end));
	const body = message.slice(end + 4);
	const type = headers.get('content-type') ?? 'text/plain';
	const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1];
	if (type.startsWith('multipart/') && boundary !== undefined) {
		return body
			.split(`--${boundary}`)
			.slice(1, -1)
			.flatMap((part) => readParts(part.replace(/^\r\n/, '')));
	}
	return [{ type, headers, text: decode(body, headers.get('content-transfer-encoding') ?? '') }];
};

export type SinkOptions = {
	port?: number;
	/** Before the message is accepted; what it throws is the server's refusal. */
	beforeYes?: () => Promise<void>;
	/** A refusal of every recipient, such as 550. */
	refuseWith?: number;
};

export const startSmtpSink = async (options: SinkOptions = {}) => {
	const received: Received[] = [];
	const server = new SMTPServer({
		authOptional: true,
		disabledCommands: ['AUTH', 'STARTTLS'],
		onRcptTo: (_address, _session, done) => {
			if (options.refuseWith === undefined) done();
			else done(Object.assign(new Error('no'), { responseCode: options.refuseWith }));
		},
		onData: (stream, session, done) => {
			const pieces: Buffer[] = [];
			stream.on('data', (piece: Buffer) => pieces.push(piece));
			stream.on('end', () => {
				const raw = Buffer.concat(pieces).toString('utf8');
				const headers = readHeaders(raw.slice(0, raw.indexOf('\r\n\r\n')));
				const to = session.envelope.rcptTo.map(({ address }) => address);
				received.push({ to, headers, parts: readParts(raw), raw });
				const answer = async (): Promise<void> => {
					await options.beforeYes?.();
					done();
				};
				void answer();
			});
		}
	});
	// A client that is killed resets its connection: nothing to say about it.
	server.on('error', () => {});
	await new Promise<void>((ready) => server.listen(options.port ?? 0, '127.0.0.1', ready));
	const { port } = must(server.server.address()) as AddressInfo;
	return mustClose('SMTP sink', {
		url: `smtp://127.0.0.1:${port}`,
		port,
		received,
		options,
		close: () => new Promise<void>((closed) => server.close(() => closed()))
	});
};
