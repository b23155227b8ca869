import { afterAll, beforeAll, expect, test } from 'vitest';
import { io } from 'socket.io-client';
import type { Socket } from 'socket.io-client';
import { PROTOCOL_VERSION } from '#domain/protocol.ts';
import {
	connected,
	connectPatient,
	connectProvider,
	createHubWorld,
	makeCookie
} from './hub-world.ts';
import type { ConnectOver, HubWorld, TestHub } from './hub-world.ts';

const PUBLIC = 'https://slotcast.example';
const FRIEND = 'https://clinic.example:8443';

let world: HubWorld;
let hub: TestHub;

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub({
		env: {
			HUB_PUBLIC_URL: PUBLIC,
			HUB_ALLOWED_ORIGINS: FRIEND,
			HUB_MAX_SOCKETS_PER_ADDRESS: '5'
		}
	});
});
afterAll(async () => {
	await hub.close();
	await world.close();
});

/** `connected`, or the words of the refusal. */
const tryToConnect = async (over: ConnectOver): Promise<string> => {
	await using client = connectPatient(hub, over);
	return await connected(client.socket).then(
		() => 'connected',
		(error: Error) => error.message
	);
};

const both = ['websocket', 'polling'] as const;

test.each(both.flatMap((way) => [PUBLIC, FRIEND, 'self'].map((origin) => [way, origin] as const)))(
	'[V1] %s from %s is accepted',
	async (way, origin) => {
		const over = { transports: [way], origin: origin === 'self' ? hub.url : origin };
		expect(await tryToConnect(over)).toBe('connected');
	}
);

const foreign = [
	'null',
	'https://evil.example',
	'http://slotcast.example',
	'https://slotcast.example:444',
	'https://www.slotcast.example',
	'https://slotcast.example.evil.example',
	'https://evilslotcast.example',
	'https://SLOTCAST.EXAMPLE',
	'https://clinic.example',
	'http://localhost:1'
];

test.each(both.flatMap((way) => foreign.map((origin) => [way, origin] as const)))(
	'[V1] %s from %s is refused, cookie or not',
	async (way, origin) => {
		expect(await tryToConnect({ transports: [way], origin })).not.toBe('connected');
		const cookieless = { transports: [way], origin, extraHeaders: { origin } };
		expect(await tryToConnect(cookieless)).not.toBe('connected');
	}
);

test('[V1] a WebSocket with cookies and no Origin is refused, a program without cookies is not', async () => {
	const cookie = makeCookie();
	expect(await tryToConnect({ extraHeaders: { cookie } })).not.toBe('connected');
	expect(await tryToConnect({ extraHeaders: {} })).toBe('connected');
});

test.each([{}, { protocol: PROTOCOL_VERSION + 1 }, { protocol: '1' }, { version: 1 }])(
	'[V2] a client that says %o is told that it is too old or too new',
	async (auth) => {
		await using client = connectPatient(hub, { auth });
		const error = await connected(client.socket).catch((refused: unknown) => refused);
		expect(error).toMatchObject({
			message: 'protocol',
			data: { reason: 'protocol', protocol: PROTOCOL_VERSION }
		});
	}
);

test('[V18] /providers without a clinic session is refused', async () => {
	await using client = connectProvider(hub, { cookie: makeCookie() });
	await expect(connected(client.socket)).rejects.toThrow('not_allowed');
	await using forged = connectProvider(hub, { cookie: 'slotcast_staff=e30.AAAA' });
	await expect(connected(forged.socket)).rejects.toThrow('not_allowed');
});

test('[V18] the namespace that everybody may enter by default holds nothing', async () => {
	const socket: Socket = io(hub.url, {
		transports: ['websocket'],
		forceNew: true,
		reconnection: false,
		autoConnect: false
	});
	await expect(connected(socket)).rejects.toThrow('not_allowed');
	socket.disconnect();
});

test('[V13] an address may have only so many connections, and gets its places back', async () => {
	const clients = [];
	for (let i = 0; i < 5; i += 1) {
		const client = connectPatient(hub);
		await connected(client.socket);
		clients.push(client);
	}
	expect(await tryToConnect({ origin: hub.url })).not.toBe('connected');
	await clients[0]?.close();
	let said = '';
	while (said !== 'connected') said = await tryToConnect({ origin: hub.url });
	for (const client of clients.slice(1)) await client.close();
});

test('[V13] a process takes only so many connections in all', async () => {
	await using small = await world.startHub({ env: { HUB_MAX_SOCKETS: '1' } });
	await using first = connectPatient(small);
	await connected(first.socket);
	await using second = connectPatient(small);
	await expect(connected(second.socket)).rejects.toThrow('websocket error');
});

test('[V14] the largest frame is told, extensions and recovery are off', async () => {
	await using client = connectPatient(hub, { transports: ['polling'] });
	await connected(client.socket);
	const reply = await fetch(`${hub.url}/socket.io/?EIO=4&transport=polling`, {
		headers: { origin: hub.url }
	});
	const text = await reply.text();
	expect(JSON.parse(text.slice(1))).toMatchObject({ maxPayload: 16_384, pingInterval: 45_000 });
	expect(client.socket.recovered).not.toBe(true);
	expect((await fetch(`${hub.url}/socket.io/socket.io.js`)).status).not.toBe(200);
});
