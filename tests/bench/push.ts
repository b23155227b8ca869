// From a source's call to a viewer's feed: a notification with the whole slot is posted to a hub process,
// and a viewer waits for that slot in its room. Real processes, durable Postgres.
import { io } from 'socket.io-client';
import { PROTOCOL_VERSION, type RoomBatch } from '#domain/protocol.ts';
import { must } from '#domain/result.ts';
import type { SlotFact } from '#domain/slot.ts';
import { ensureEpoch } from '#server/store/epoch.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { notification, pushKey, slotResource } from '../push/push-world.ts';
import { makeFact, makePolledSource, makeSchedule, slotIds } from '../store/poll-world.ts';
import { quantile, type BenchResult } from './bench.ts';
import { startWholeHub } from './hub-process.ts';
import { createBenchDatabase } from './world.ts';

const ROOM = 'dermatology:us-mt';
const SLOTS = 2_000;
const PER_SECOND = 20;
const CALLS = 440;
/** The first calls of a new process are not counted. */
const WARM_UP = 40;
const GOAL_P99_MS = 100;

/** One viewer of the room; `seen` resolves with the time at which a change of the slot arrives. */
const openViewer = async (url: string, epoch: string) => {
	const socket = io(`${url}/patients`, {
		auth: { protocol: PROTOCOL_VERSION },
		transports: ['websocket']
	});
	const waiting = new Map<number, (at: number) => void>();
	socket.on('slots:changed', (batch: RoomBatch) => {
		const at = performance.now();
		for (const [id] of batch.changes) {
			waiting.get(id)?.(at);
			waiting.delete(id);
		}
	});
	await new Promise((resolve) => socket.once('connect', () => resolve(null)));
	await socket.timeout(5_000).emitWithAck('room:join', { room: ROOM, have: { epoch, seq: 0 } });
	return {
		seen: (slotId: number) =>
			new Promise<number>((resolve) => {
				waiting.set(slotId, resolve);
				setTimeout(() => resolve(NaN), 5_000).unref();
			}),
		close: () => socket.disconnect()
	};
};

const callOnce = async (
	url: string,
	fact: SlotFact,
	number: number,
	arrived: Promise<number>
): Promise<{ answered: number; seen: number }> => {
	const resource = slotResource({ ...fact, status: 'busy', version: '2' });
	const { headers, body } = notification({
		type: 'event-notification',
		since: number,
		events: [number],
		resources: [resource]
	});
	const startedAt = performance.now();
	const response = await fetch(url, { method: 'POST', headers, body });
	await response.arrayBuffer();
	const answered = response.ok ? performance.now() - startedAt : NaN;
	return { answered, seen: (await arrived) - startedAt };
};

export const run = async (): Promise<BenchResult[]> => {
	const database = await createBenchDatabase();
	const redis = await createEmbeddedRedis({ durable: false });
	const facts = Array.from({ length: SLOTS }, (_, index) => makeFact(index, { version: '1' }));
	const source = { key: 'pusher', kind: 'fhir-slots' } as const;
	await makePolledSource(database.sql, facts, { source, schedules: [makeSchedule()] });
	const ids = await slotIds(database.sql);
	const hub = await startWholeHub({
		databaseUrl: database.url,
		redisUrl: redis.url,
		env: { HUB_SOURCE_SECRETS: `pusher.push=${pushKey}`, HUB_LOG_LEVEL: 'info' }
	});
	const viewer = await openViewer(hub.url, await ensureEpoch(database.sql));
	const url = `${hub.url}/api/v1/push/pusher`;
	try {
		const hello = notification({ type: 'handshake', since: 0 });
		await fetch(url, { method: 'POST', headers: hello.headers, body: hello.body });
		const startedAt = performance.now();
		const underWay: Promise<{ answered: number; seen: number }>[] = [];
		for (let nth = 0; nth < CALLS; nth += 1) {
			const dueMs = startedAt + (nth * 1_000) / PER_SECOND - performance.now();
			if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
			const fact = must(facts[nth], 'fact');
			const slotId = must(ids.get(fact.sourceSlotId), 'slot');
			underWay.push(callOnce(url, fact, nth + 1, viewer.seen(slotId)));
		}
		const calls = (await Promise.all(underWay)).slice(WARM_UP);
		const seen = calls.map((call) => call.seen).filter(Number.isFinite);
		const answered = calls.map((call) => call.answered).filter(Number.isFinite);
		const p99 = quantile(seen, 0.99);
		return [
			{
				name: `push → viewer's feed, ${PER_SECOND} calls/s: p99`,
				unit: 'ms',
				ours: [p99],
				goal: `at most ${GOAL_P99_MS} ms`,
				met: p99 <= GOAL_P99_MS && seen.length === calls.length,
				note: `p50 ${quantile(seen, 0.5).toFixed(0)} ms; answered p50 ${quantile(answered, 0.5).toFixed(0)} ms, p99 ${quantile(answered, 0.99).toFixed(0)} ms; ${seen.length} of ${calls.length} seen`
			}
		];
	} finally {
		viewer.close();
		await hub.close();
		await redis.close();
		await database.close();
	}
};
