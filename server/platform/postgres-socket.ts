// The socket under a Postgres connection. It does two things that the driver does not: it ends a
// connection whose server says nothing any more, and it never tells of a close because of an error.
// The driver forgets statements that were given to it between a connection's error and its close;
// when a connection closes without an error it settles them all. Over TLS the driver puts a socket
// of its own on top of this one; both still hold.
import { Socket } from 'node:net';

const LOOK_EVERY_MS = 1_000;

/** "Ready for query", the end of every answer, is a Z, its length 5 and the transaction's state. */
const READY_LENGTH = 6;
const isReady = (chunk: unknown): boolean =>
	Buffer.isBuffer(chunk) &&
	chunk.length >= READY_LENGTH &&
	chunk[chunk.length - READY_LENGTH] === 0x5a &&
	chunk.readUInt32BE(chunk.length - READY_LENGTH + 1) === READY_LENGTH - 1;

export type Patience = {
	/**
	 * A connection with a question that was met with silence for so long is closed, give or take a
	 * second, and its statements fail with CONNECTION_CLOSED, ms. Infinity = it may take any time.
	 */
	readonly answerMs: number;
	/** What the driver itself allows for connecting, ms: it tries anew when we are faster. */
	readonly connectMs: number;
};

class SteadySocket extends Socket {
	/** Read by the driver when it goes over to TLS. */
	readonly host: string;
	readonly port: number;
	/** Of all bytes that were written, how many belong to questions with a whole answer. */
	#answered = 0;
	/** Bytes written and read at the last look. */
	#asked = 0;
	#heard = 0;
	#silentMs = 0;

	constructor(host: string, port: number, patience: Patience) {
		super();
		this.host = host;
		this.port = port;
		const timer = setInterval(() => this.#look(patience), LOOK_EVERY_MS).unref();
		this.once('close', () => clearInterval(timer));
	}

	override emit(event: string | symbol, ...args: unknown[]): boolean {
		if (event === 'data' && isReady(args[0])) this.#answered = this.bytesWritten;
		return event === 'close'
			? super.emit('close', false)
			: Reflect.apply(super.emit, this, [event, ...args]);
	}

	/**
	 * Counted in looks, not by a clock: when it was us who stood still, nobody is to blame. What TLS
	 * carries cannot be read here: what was asked since the look before may be unanswered, so that an
	 * idle connection may be closed too, which the driver opens again when it needs it.
	 */
	#look({ answerMs, connectMs }: Patience): void {
		const isCovered = this.listenerCount('data') === 0;
		const askedBefore = this.#asked;
		this.#asked = this.bytesWritten;
		if (this.bytesRead !== this.#heard) {
			this.#heard = this.bytesRead;
			this.#silentMs = 0;
			if (isCovered) this.#answered = askedBefore;
			return;
		}
		const isConnecting = this.#answered === 0;
		const isOwed = !isConnecting && this.bytesWritten > this.#answered;
		this.#silentMs = isOwed ? this.#silentMs + LOOK_EVERY_MS : 0;
		const most = isCovered ? Math.max(answerMs, connectMs + LOOK_EVERY_MS) : answerMs;
		if (this.#silentMs >= most) this.destroy();
	}
}

export type SocketAddress = {
	readonly host: readonly string[];
	readonly port: readonly number[];
	readonly path?: string | false;
};

/** Returns sockets that are still connecting: what is written meanwhile waits in them. */
export const createSocketFactory = (patience: Patience): ((address: SocketAddress) => Socket) => {
	let turn = 0;
	return ({ host, port, path }) => {
		const at = turn % host.length;
		turn += 1;
		const socket = new SteadySocket(host[at] ?? 'localhost', port[at] ?? 5432, patience);
		return path ? socket.connect(path) : socket.connect(socket.port, socket.host);
	};
};
