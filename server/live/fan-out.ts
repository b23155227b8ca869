// The last step to a viewer: one message is encoded and framed once, and the same buffer is
// written to every socket of the room. The deeper fan-out work (ticks, shared compression) belongs
// here and only here: everything else hands over a Message and the lanes it goes to.
import { Socket as TcpSocket } from 'node:net';

/** A packet ready to leave: as engine.io text for any transport, and as one WebSocket frame. */
export type Message = { readonly text: string; readonly frame: Buffer };

/** What we use of an engine.io connection (6.6); checked on each, see `hasEngineShape`. */
type EngineConnection = {
	readonly readyState: string;
	readonly writeBuffer: readonly unknown[];
	readonly transport: {
		readonly name: string;
		readonly writable: boolean;
		readonly socket?: unknown;
	};
};

/** The public part of it: works on every transport and every version. */
export type PublicConnection = {
	send(text: string): unknown;
	close(discard?: boolean): void;
	once(event: 'upgrade', listener: () => void): unknown;
};

/** The way to one viewer. */
export type Lane = {
	readonly conn: PublicConnection;
	/** The same connection when its insides are as we know them. */
	readonly engine: EngineConnection | null;
	/** Its TCP socket once it speaks WebSocket. */
	tcp: TcpSocket | null;
};

/** More unsent bytes than this and the viewer is cut. */
export const MAX_UNSENT_BYTES = 262_144;
/** More unsent packets than this (long-polling, or an upgrade that hangs) and it is cut. */
export const MAX_UNSENT_PACKETS = 1_000;

const field = (thing: unknown, name: string): unknown =>
	typeof thing === 'object' && thing !== null ? Reflect.get(thing, name) : undefined;

/**
 * The fast path leans on fields that engine.io calls private. Where they are not as expected
 * (another version), every message takes the public way instead: slower, never wrong.
 */
const hasEngineShape = (conn: unknown): conn is EngineConnection =>
	typeof field(conn, 'readyState') === 'string' &&
	Array.isArray(field(conn, 'writeBuffer')) &&
	typeof field(field(conn, 'transport'), 'name') === 'string' &&
	typeof field(field(conn, 'transport'), 'writable') === 'boolean';

const tcpOf = (engine: EngineConnection): TcpSocket | null => {
	const webSocket = engine.transport.name === 'websocket' ? engine.transport.socket : undefined;
	// With an extension negotiated a plain frame would be misread.
	if (field(webSocket, 'extensions') !== '') return null;
	const tcp = field(webSocket, '_socket');
	return tcp instanceof TcpSocket ? tcp : null;
};

export const createLane = (conn: PublicConnection, options: { direct?: boolean } = {}): Lane => {
	const engine = options.direct !== false && hasEngineShape(conn) ? conn : null;
	const lane: Lane = { conn, engine, tcp: engine === null ? null : tcpOf(engine) };
	if (engine !== null && lane.tcp === null) {
		conn.once('upgrade', () => {
			lane.tcp = tcpOf(engine);
		});
	}
	return lane;
};

const FINAL_TEXT = 0x81;

/** One unmasked text frame (RFC 6455, 5.2): header and payload in one buffer, one write. */
const textFrame = (payload: string): Buffer => {
	const length = Buffer.byteLength(payload);
	const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
	const frame = Buffer.allocUnsafe(head + length);
	frame[0] = FINAL_TEXT;
	if (head === 2) frame[1] = length;
	else if (head === 4) {
		frame[1] = 126;
		frame.writeUInt16BE(length, 2);
	} else {
		frame[1] = 127;
		frame.writeBigUInt64BE(BigInt(length), 2);
	}
	frame.write(payload, head);
	return frame;
};

const EVENT_PACKET = '2';
const ENGINE_MESSAGE = '4';

/** Encodes an event as socket.io-parser does for plain JSON: `2/patients,["slots:changed",…]`. */
export const encodeEvent = (
	namespace: string,
	event: string,
	args: readonly unknown[]
): Message => {
	const text = `${EVENT_PACKET}${namespace},${JSON.stringify([event, ...args])}`;
	return { text, frame: textFrame(ENGINE_MESSAGE + text) };
};

/** Bytes and packets that wait for this viewer. */
const isBehind = (lane: Lane): boolean =>
	(lane.tcp !== null && lane.tcp.writableLength > MAX_UNSENT_BYTES) ||
	(lane.engine !== null && lane.engine.writeBuffer.length > MAX_UNSENT_PACKETS);

/**
 * Straight to the TCP socket when engine.io has nothing of its own under way (so that the order
 * holds), else through its queue. False = the viewer reads too slowly and must be cut.
 */
export const sendTo = (lane: Lane, message: Message): boolean => {
	const { engine, tcp } = lane;
	if (
		tcp !== null &&
		engine !== null &&
		engine.writeBuffer.length === 0 &&
		engine.transport.writable &&
		engine.readyState === 'open' &&
		tcp.writable
	) {
		tcp.write(message.frame);
		return tcp.writableLength <= MAX_UNSENT_BYTES;
	}
	lane.conn.send(message.text);
	return !isBehind(lane);
};

/** Ends a connection that may never drain: nothing of what waits is sent. */
export const cutLane = (lane: Lane): void => {
	if (lane.tcp === null) lane.conn.close(true);
	else lane.tcp.destroy();
};
