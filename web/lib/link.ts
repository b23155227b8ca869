// One live connection of a page: lazily loaded, honest about silence, gentle when it comes back.
import type { Socket } from 'socket.io-client';
import { PROTOCOL_VERSION, SILENCE_MS } from '#domain/protocol.ts';
import type {
	PatientClientEvents,
	PatientServerEvents,
	ProviderClientEvents,
	ProviderServerEvents
} from '#domain/protocol.ts';

export type PatientSocket = Socket<PatientServerEvents, PatientClientEvents>;
export type ProviderSocket = Socket<ProviderServerEvents, ProviderClientEvents>;

/**
 * `connecting` = not yet, `live` = heard lately, `quiet` = the line is down or silent,
 * `old` = this page is too old for the hub.
 */
export type LinkState = 'connecting' | 'live' | 'quiet' | 'old';

export type LinkWatch = {
	readonly onState: (state: LinkState) => void;
	/** Connected, or connected again: join what is followed. */
	readonly onUp: () => void;
};

const CHECK_MS = 1_000;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** After a cut by the hub, ms: nobody comes back at once. */
const CUT_PAUSE_MS = 2_000;
export const ACK_TIMEOUT_MS = 8_000;

/** Loaded after paint: the page is complete and usable without it. */
export const whenIdle = (run: () => void): (() => void) => {
	if (typeof requestIdleCallback === 'function') {
		const id = requestIdleCallback(run, { timeout: 2_000 });
		return () => {
			cancelIdleCallback(id);
		};
	}
	const timer = setTimeout(run, 200);
	return () => {
		clearTimeout(timer);
	};
};

type Closable = { readonly close: () => void };

/** Watches a socket: says when it is quiet, and brings it back after cuts and drains. */
const watch = (socket: PatientSocket | ProviderSocket, { onState, onUp }: LinkWatch): Closable => {
	let heardAt = performance.now();
	let comeBack: ReturnType<typeof setTimeout> | undefined;
	const heard = (): void => {
		heardAt = performance.now();
		onState('live');
	};
	const returnIn = (withinMs: number): void => {
		clearTimeout(comeBack);
		comeBack = setTimeout(() => socket.connect(), Math.random() * withinMs);
	};
	const plain: Socket = socket;
	plain.onAny(heard);
	plain.on('connect', () => {
		heard();
		onUp();
	});
	plain.on('disconnect', (reason) => {
		onState('quiet');
		if (reason === 'io server disconnect') returnIn(CUT_PAUSE_MS);
	});
	plain.on('connect_error', (error) => {
		onState(error.message === 'protocol' ? 'old' : 'quiet');
		if (!socket.active && error.message !== 'protocol') returnIn(RETRY_MAX_MS);
	});
	plain.on('server:draining', ({ withinMs }: { withinMs: number }) => {
		socket.disconnect();
		returnIn(withinMs);
	});
	const checking = setInterval(() => {
		if (performance.now() - heardAt > SILENCE_MS) onState('quiet');
	}, CHECK_MS);
	const offline = (): void => onState('quiet');
	const online = (): void => void socket.connect();
	addEventListener('offline', offline);
	addEventListener('online', online);
	return {
		close: () => {
			clearInterval(checking);
			clearTimeout(comeBack);
			removeEventListener('offline', offline);
			removeEventListener('online', online);
			socket.disconnect();
		}
	};
};

const options = {
	auth: { protocol: PROTOCOL_VERSION },
	transports: ['websocket', 'polling'],
	tryAllTransports: true,
	reconnectionDelay: RETRY_MIN_MS,
	reconnectionDelayMax: RETRY_MAX_MS,
	randomizationFactor: 0.5,
	autoConnect: false
};

export type Link<S> = Closable & { readonly socket: S };

const open = <S extends PatientSocket | ProviderSocket>(
	socket: S,
	watching: LinkWatch
): Link<S> => {
	const watched = watch(socket, watching);
	watching.onState('connecting');
	socket.connect();
	return { socket, close: watched.close };
};

export const openPatientLink = async (watching: LinkWatch): Promise<Link<PatientSocket>> => {
	const { io } = await import('socket.io-client');
	const socket: PatientSocket = io('/patients', options);
	return open(socket, watching);
};

export const openProviderLink = async (watching: LinkWatch): Promise<Link<ProviderSocket>> => {
	const { io } = await import('socket.io-client');
	const socket: ProviderSocket = io('/providers', options);
	return open(socket, watching);
};
