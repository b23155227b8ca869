// The socket under a Postgres connection. The driver forgets statements that were given to it
// between a connection's error and its close: they would never settle. It does settle everything
// when a connection closes without an error, so this socket tells it of errors but never of a
// close because of one. Over TLS the driver puts a socket of its own on top, and its window stays.
import { Socket } from 'node:net';

class SteadySocket extends Socket {
	/** Read by the driver when it goes over to TLS. */
	readonly host: string;
	readonly port: number;

	constructor(host: string, port: number) {
		super();
		this.host = host;
		this.port = port;
	}

	override emit(event: string | symbol, ...args: unknown[]): boolean {
		return event === 'close'
			? super.emit('close', false)
			: Reflect.apply(super.emit, this, [event, ...args]);
	}
}

export type SocketAddress = {
	readonly host: readonly string[];
	readonly port: readonly number[];
	readonly path?: string | false;
};

/** Returns sockets that are still connecting: what is written meanwhile waits in them. */
export const createSocketFactory = (): ((address: SocketAddress) => Socket) => {
	let turn = 0;
	return ({ host, port, path }) => {
		const at = turn % host.length;
		turn += 1;
		const socket = new SteadySocket(host[at] ?? 'localhost', port[at] ?? 5432);
		return path ? socket.connect(path) : socket.connect(socket.port, socket.host);
	};
};
