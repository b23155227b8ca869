// A viewer that costs the load process next to nothing: a TCP socket that speaks just enough
// WebSocket, Engine.IO and Socket.IO to join a room, and counts what comes.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { randomBytes } from 'node:crypto';

export type RawViewer = {
	/** Bytes of WebSocket frames since the join was answered, headers included. */
	bytes(): number;
	/** Frames since then. */
	frames(): number;
	reset(): void;
	close(): void;
};

export type RawOptions = {
	readonly port: number;
	/** `room:join` request. */
	readonly join: unknown;
	/** Text of every frame, for the few viewers that look into them. */
	readonly onText?: (text: string) => void;
};

const MASKED_TEXT = 0x81;

const send = (socket: Socket, text: string): void => {
	const payload = Buffer.from(text);
	const isShort = payload.length < 126;
	const head = Buffer.alloc(isShort ? 6 : 8);
	head[0] = MASKED_TEXT;
	head[1] = 0x80 | (isShort ? payload.length : 126);
	if (!isShort) head.writeUInt16BE(payload.length, 2);
	// A mask of zeros leaves the payload as it is (RFC 6455 asks for chance; nobody listens here).
	socket.write(Buffer.concat([head, payload]));
};

type Frame = { readonly text: string; readonly end: number };

/** The frame that begins at `at`, or null when it has not come completely. */
const frameAt = (buffer: Buffer, at: number): Frame | null => {
	if (buffer.length < at + 2) return null;
	const short = (buffer[at + 1] ?? 0) & 0x7f;
	const head = short < 126 ? 2 : short === 126 ? 4 : 10;
	if (buffer.length < at + head) return null;
	const length =
		short < 126
			? short
			: short === 126
				? buffer.readUInt16BE(at + 2)
				: Number(buffer.readBigUInt64BE(at + 2));
	const end = at + head + length;
	return buffer.length < end ? null : { text: buffer.toString('utf8', at + head, end), end };
};

/** Resolves when the join was answered. */
export const createRawViewer = (options: RawOptions): Promise<RawViewer> =>
	new Promise((resolve, reject) => {
		const socket = connect(options.port, '127.0.0.1');
		let rest: Buffer = Buffer.alloc(0);
		let isOpen = false;
		let isIn = false;
		let [bytes, frames] = [0, 0];
		const viewer: RawViewer = {
			bytes: () => bytes,
			frames: () => frames,
			reset: () => {
				[bytes, frames] = [0, 0];
			},
			close: () => socket.destroy()
		};
		const hear = (text: string): void => {
			if (text === '2') send(socket, '3');
			else if (text.startsWith('0')) send(socket, '40/patients,{"protocol":1}');
			else if (text.startsWith('40/patients')) {
				send(socket, `42/patients,0${JSON.stringify(['room:join', options.join])}`);
			} else if (text.startsWith('43/patients,0')) {
				isIn = true;
				viewer.reset();
				if (text.includes('"ok":true')) resolve(viewer);
				else reject(new Error(text.slice(0, 200)));
			} else options.onText?.(text);
		};
		socket.on('connect', () => {
			const key = randomBytes(16).toString('base64');
			socket.write(
				`GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
			);
		});
		socket.on('data', (chunk) => {
			rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
			if (!isOpen) {
				const end = rest.indexOf('\r\n\r\n');
				if (end < 0) return;
				isOpen = true;
				rest = rest.subarray(end + 4);
			}
			let at = 0;
			for (;;) {
				const frame = frameAt(rest, at);
				if (frame === null) break;
				if (isIn) {
					bytes += frame.end - at;
					frames += 1;
				}
				at = frame.end;
				hear(frame.text);
			}
			rest = rest.subarray(at);
		});
		socket.on('error', reject);
	});
