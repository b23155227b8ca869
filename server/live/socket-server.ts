// Socket.IO on the hub's port: two namespaces, a fan-out of our own, and the rules of the door.
// Nothing is delivered by Socket.IO's rooms or adapter: they would write twice per viewer.
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Namespace } from 'socket.io';
import type { HubApi, Visitor } from '#domain/api.ts';
import type { DeviceKey } from '#domain/ids.ts';
import { MAX_FRAME_BYTES } from '#domain/protocol.ts';
import type {
	PatientClientEvents,
	PatientServerEvents,
	ProviderClientEvents,
	ProviderServerEvents,
	RoomEntry
} from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import type { HubStatus } from '#domain/status.ts';
import type { Clock } from '#domain/time.ts';
import { TURN_MS } from './beacon.ts';
import { createDevices } from './devices.ts';
import type { Devices } from './devices.ts';
import { closeInWaves } from './drain.ts';
import { createGate, HandshakeRefused, speaksOurProtocol } from './handshake.ts';
import type { GateParts } from './handshake.ts';
import { clinicEntries, createHouses, isClinicRoom, slotEntries } from './houses.ts';
import type { FeedParts, Houses } from './houses.ts';
import { patientHandlers, shareReads } from './patients.ts';
import { providerHandlers } from './providers.ts';
import { createAddressCounts, createTokenBucket, PACKETS_PER_MINUTE, takeToken } from './quotas.ts';
import type { AddressCounts, TokenBucket } from './quotas.ts';

export type SocketVisitor = {
	readonly device: DeviceKey | null;
	readonly staff: Visitor['staff'];
	readonly staffUntil: number | null;
};

/** One hint to one device: event of PatientServerEvents and its payload. */
export type DeviceHint = {
	readonly device: DeviceKey;
	readonly event: string;
	readonly payload: unknown;
};

export type LiveParts = FeedParts & {
	readonly http: HttpServer;
	readonly hub: HubApi;
	readonly clock: Clock;
	readonly isUnavailable: (error: unknown) => boolean;
	readonly readVisitor: (cookieHeader: string | undefined) => SocketVisitor;
	readonly mayConnect: GateParts['mayConnect'];
	readonly addressOf: (req: IncomingMessage) => string;
	/** X20: counts a hold that somebody at this address asks for; false = too many. */
	readonly mayHold: (address: string) => Promise<boolean>;
	readonly isDraining: () => boolean;
	readonly maxSockets: number;
	readonly maxSocketsPerAddress: number;
};

export type LiveServer = {
	/** L9: `waitedMs` = how long the oldest entry had waited before it came here. */
	deliver(room: RoomName, entries: readonly RoomEntry<unknown>[], waitedMs: number): void;
	reset(room: RoomName): void;
	tellDevice(hint: DeviceHint): void;
	counts(): HubStatus['sockets'];
	/** Patients per room at this moment. */
	viewersByRoom(): ReadonlyMap<RoomName, number>;
	/** Tells everybody, then closes the connections in waves over `withinMs`. */
	drain(withinMs: number): Promise<void>;
	close(): Promise<void>;
};

/** A connection that has not entered a namespace by then is closed, ms. */
const CONNECT_TIMEOUT_MS = 6_000;
/** Liveness shows by the beacon every 5 s; this only finds connections that died, ms. */
const PING_INTERVAL_MS = 45_000;
const PING_TIMEOUT_MS = 20_000;

/** What we use of an engine.io connection at the door. */
type DoorConnection = {
	readonly request: IncomingMessage;
	on(event: 'packet' | 'close', listener: () => void): unknown;
	close(discard: boolean): void;
};

type Knock = { readonly address: string; readonly packets: TokenBucket };

type Io = Server;

/** V14: counts connections per address, and ends one that floods below any namespace. */
const watchDoor = (io: Io, addresses: AddressCounts, addressOf: LiveParts['addressOf']): void => {
	const knocks = new WeakMap<DoorConnection, Knock>();
	// Two functions for all connections: each of them would otherwise keep two of its own.
	function onClose(this: DoorConnection): void {
		const knock = knocks.get(this);
		if (knock !== undefined && knocks.delete(this)) addresses.leave(knock.address);
	}
	function onPacket(this: DoorConnection): void {
		const knock = knocks.get(this);
		if (knock !== undefined && !takeToken(knock.packets, Math.floor(performance.now()))) {
			this.close(true);
		}
	}
	io.engine.on('connection', (conn: DoorConnection) => {
		const address = addressOf(conn.request);
		addresses.enter(address);
		const packets = createTokenBucket(PACKETS_PER_MINUTE, Math.floor(performance.now()));
		knocks.set(conn, { address, packets });
		conn.on('close', onClose);
		conn.on('packet', onPacket);
	});
};

const createIo = (parts: LiveParts, addresses: AddressCounts): Io => {
	const gate = createGate({
		mayConnect: parts.mayConnect,
		addressOf: parts.addressOf,
		isDraining: parts.isDraining,
		addresses,
		hasRoom: () => io.engine.clientsCount < parts.maxSockets
	});
	const io: Io = new Server(parts.http, {
		serveClient: false,
		transports: ['polling', 'websocket'],
		perMessageDeflate: false,
		httpCompression: false,
		maxHttpBufferSize: MAX_FRAME_BYTES,
		connectTimeout: CONNECT_TIMEOUT_MS,
		pingInterval: PING_INTERVAL_MS,
		pingTimeout: PING_TIMEOUT_MS,
		allowRequest: (req, decide) => {
			const refusal = gate(req);
			decide(refusal, refusal === null);
		}
	});
	watchDoor(io, addresses, parts.addressOf);
	for (const namespace of ['/patients', '/providers']) {
		// Socket.IO keeps two Sets and two Map entries per socket for rooms that nobody uses here.
		io.of(namespace).adapter.addAll = () => {};
	}
	// The namespace that every client may enter by default holds nothing.
	io.use((_socket, next) => next(new HandshakeRefused('not_allowed')));
	return io;
};

const openPatients = (io: Io, parts: LiveParts, house: Houses['patients'], devices: Devices) => {
	const { rooms, join } = house;
	const readBoard = shareReads(parts.hub.readBoard);
	const handlers = patientHandlers({ ...parts, rooms, join, readBoard });
	const patients: Namespace<PatientClientEvents, PatientServerEvents> = io.of('/patients');
	patients.use(({ handshake }, next) =>
		next(speaksOurProtocol(handshake.auth) ? undefined : new HandshakeRefused('protocol'))
	);
	patients.on('connection', (socket) => {
		const { device } = parts.readVisitor(socket.handshake.headers.cookie);
		const address = parts.addressOf(socket.request);
		const viewer = house.admit(socket, { device, address, sourceId: null, endsAt: null }, handlers);
		devices.add(viewer);
		// `on`: it comes once anyway, and `once` keeps a wrapper.
		socket.on('disconnect', () => {
			devices.remove(viewer);
			house.dismiss(viewer);
		});
	});
};

const openProviders = (io: Io, parts: LiveParts, house: Houses['providers']) => {
	const handlers = providerHandlers({ ...parts, join: house.join });
	const providers: Namespace<ProviderClientEvents, ProviderServerEvents> = io.of('/providers');
	providers.use(({ handshake }, next) => {
		if (!speaksOurProtocol(handshake.auth)) next(new HandshakeRefused('protocol'));
		else if (parts.readVisitor(handshake.headers.cookie).staff?.role === 'clinic') next();
		else next(new HandshakeRefused('not_allowed'));
	});
	providers.on('connection', (socket) => {
		const { device, staff, staffUntil } = parts.readVisitor(socket.handshake.headers.cookie);
		if (staff?.role !== 'clinic') {
			socket.disconnect(true);
			return;
		}
		const address = parts.addressOf(socket.request);
		const person = { device, address, sourceId: staff.sourceId, endsAt: staffUntil };
		const viewer = house.admit(socket, person, handlers);
		socket.once('disconnect', () => house.dismiss(viewer));
	});
};

/** Attaches to `http` before it listens; closing it closes `http` too. */
export const createLiveServer = (parts: LiveParts): LiveServer => {
	const { patients, providers } = createHouses(parts);
	const devices = createDevices();
	const addresses = createAddressCounts(parts.maxSocketsPerAddress);
	const io = createIo(parts, addresses);
	openPatients(io, parts, patients, devices);
	openProviders(io, parts, providers);

	const turn = setInterval(() => {
		patients.beacon.turn();
		providers.beacon.turn();
		providers.sweep(parts.clock.now());
	}, TURN_MS);

	return {
		deliver: (room, entries, waitedMs) => {
			if (isClinicRoom(room)) providers.rooms.take(room, clinicEntries(entries), waitedMs);
			else patients.rooms.take(room, slotEntries(entries), waitedMs);
		},
		reset: (room) => (isClinicRoom(room) ? providers : patients).reset(room),
		tellDevice: ({ device, event, payload }) => patients.send(devices.of(device), event, payload),
		counts: () => ({
			patients: patients.viewers.size,
			providers: providers.viewers.size,
			rooms: patients.rooms.count() + providers.rooms.count()
		}),
		viewersByRoom: () => {
			const counts = new Map<RoomName, number>();
			for (const { rooms } of patients.viewers) {
				for (const room of rooms) counts.set(room, (counts.get(room) ?? 0) + 1);
			}
			return counts;
		},
		drain: async (withinMs) => {
			for (const house of [patients, providers]) {
				house.send(house.viewers, 'server:draining', { withinMs });
			}
			await closeInWaves([...patients.viewers, ...providers.viewers], withinMs);
		},
		close: async () => {
			clearInterval(turn);
			patients.close();
			providers.close();
			await io.close();
		}
	};
};
