// Callers that hold and confirm over HTTP, in a process of their own; each time a device of its own,
// and every answer's time is kept.
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

type Order = { url: string; slots: number; callers: number; seconds: number };

const order: Order = JSON.parse(process.argv[2] ?? '{}');
const pool = new Pool(order.url, { connections: order.callers, pipelining: 1 });
const statuses: Record<string, number> = {};
const held: number[] = [];
const refused: number[] = [];
const confirmed: number[] = [];
let isMeasured = false;

const post = async (path: string, cookie: string, command: unknown) => {
	const startedAt = performance.now();
	const { statusCode, body } = await pool.request({
		path,
		method: 'POST',
		headers: { 'content-type': 'application/json', origin: order.url, cookie },
		body: JSON.stringify(command)
	});
	const answer = (await body.json()) as { readonly id?: string };
	if (isMeasured) {
		const kind = `${path.split('/').at(-1)} ${statusCode}`;
		statuses[kind] = (statuses[kind] ?? 0) + 1;
	}
	return { statusCode, answer, ms: performance.now() - startedAt };
};

const patient = {
	givenName: 'Rosa',
	familyName: 'Bench',
	bornOn: '1961-05-23',
	phone: '+1 406 555 0100',
	email: null,
	reason: 'a mole that changed',
	planId: null,
	forWhom: 'me'
};

const visit = async (): Promise<void> => {
	const cookie = `slotcast_device=${randomUUID()}`;
	const slotId = 1 + Math.floor(Math.random() * order.slots);
	const hold = await post('/api/v1/holds', cookie, { slotId, requestId: randomUUID() });
	const isHeld = hold.statusCode < 300;
	if (isMeasured) (isHeld ? held : refused).push(hold.ms);
	if (!isHeld) return;
	// Another person for each: one person’s bookings wait for each other (H42).
	const someone = { ...patient, familyName: `Bench ${randomUUID()}` };
	const command = { requestId: randomUUID(), kind: 'video', patient: someone };
	const made = await post(`/api/v1/holds/${hold.answer.id}/confirm`, cookie, command);
	if (isMeasured && made.statusCode < 300) confirmed.push(made.ms);
};

const callAll = (ms: number): Promise<void[]> => {
	const until = performance.now() + ms;
	const caller = async (): Promise<void> => {
		while (performance.now() < until) await visit();
	};
	return Promise.all(Array.from({ length: order.callers }, caller));
};

await callAll(2_000);
isMeasured = true;
await callAll(order.seconds * 1_000);
process.send?.({ held, refused, confirmed, statuses }, () => process.exit(0));
