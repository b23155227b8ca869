// Who may connect at all: origin, places left, protocol version. Nothing here trusts a cookie.
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { PROTOCOL_VERSION } from '#domain/protocol.ts';
import type { AddressCounts } from './quotas.ts';

export type GateParts = {
	/** V1: the origin rules, shared with HTTP. */
	readonly mayConnect: (req: IncomingMessage, isWebSocket: boolean) => boolean;
	readonly addressOf: (req: IncomingMessage) => string;
	readonly addresses: AddressCounts;
	/** Connections this process may still take. */
	readonly hasRoom: () => boolean;
	readonly isDraining: () => boolean;
};

/** Told as the HTTP status text of a refused handshake; browsers see only that it failed. */
export type GateRefusal = 'origin' | 'draining' | 'full' | 'address_full';

type Decide = (req: IncomingMessage) => GateRefusal | null;

const search = (req: IncomingMessage): URLSearchParams =>
	new URL(req.url ?? '/', 'http://hub').searchParams;

/**
 * Asked for every request of a transport. One that belongs to an open session (`sid`) takes no new
 * place, but its origin is checked like any other.
 */
export const createGate =
	({ mayConnect, addressOf, addresses, hasRoom, isDraining }: GateParts): Decide =>
	(req) => {
		const query = search(req);
		if (!mayConnect(req, query.get('transport') === 'websocket')) return 'origin';
		if (query.has('sid')) return null;
		if (isDraining()) return 'draining';
		if (!hasRoom()) return 'full';
		return addresses.isFull(addressOf(req)) ? 'address_full' : null;
	};

const Auth = z.object({ protocol: z.literal(PROTOCOL_VERSION) });

/** V2: the client names the protocol it speaks; another one must load the page anew. */
export const speaksOurProtocol = (auth: unknown): boolean => Auth.safeParse(auth).success;

/** A refused namespace: `connect_error` with this message and `data.reason`. */
export class HandshakeRefused extends Error {
	override readonly name = 'HandshakeRefused';
	readonly data: { readonly reason: string; readonly protocol: number };
	constructor(reason: 'protocol' | 'not_allowed') {
		super(reason);
		this.data = { reason, protocol: PROTOCOL_VERSION };
	}
}
