// Callers of the hold endpoint, in a process of their own: each a device with its own cookie.
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

type Order = { url: string; slots: number; callers: number; seconds: number };

const order: Order = JSON.parse(process.argv[2] ?? '{}');
const pool = new Pool(order.url, { connections: order.callers, pipelining: 1 });
const statuses: Record<string, number> = {};
let done = 0;

const hold = async (): Promise<void> => {
	const slotId = 1 + Math.floor(Math.random() * order.slots);
	const { statusCode, body } = await pool.request({
		path: '/api/v1/holds',
		method: 'POST',
		headers: {
			'content-type': 'application/json',
			origin: order.url,
			cookie: `slotcast_device=${randomUUID()}`
		},
		body: JSON.stringify({ slotId, requestId: randomUUID() })
	});
	await body.dump();
	statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
	done += 1;
};

const callUntil = async (until: number): Promise<void> => {
	while (performance.now() < until) await hold();
};

const callAll = (ms: number): Promise<void[]> => {
	const until = performance.now() + ms;
	return Promise.all(Array.from({ length: order.callers }, () => callUntil(until)));
};

// A hub that runs for days has its code compiled; one that has just started has not.
await callAll(4_000);
done = 0;
for (const key of Object.keys(statuses)) delete statuses[key];
const startedAt = performance.now();
await callAll(order.seconds * 1_000);
const perSecond = done / ((performance.now() - startedAt) / 1_000);
process.send?.({ perSecond, statuses }, () => process.exit(0));
