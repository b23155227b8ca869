import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_UNSENT_BYTES } from '#server/live/fan-out.ts';
import { makeQuery } from '../scheduling/world.ts';
import { until } from '../support/until.ts';
import { connected, connectPatient, createHubWorld, ROOM } from './hub-world.ts';
import type { HubWorld, PatientClient, TestHub } from './hub-world.ts';
import { createView } from './view.ts';

let world: HubWorld;
let hub: TestHub;

beforeAll(async () => {
	world = await createHubWorld();
	hub = await world.startHub();
});
afterAll(async () => {
	await hub.close();
	await world.close();
});

/** Writes `count` entries of 500 whole slots each, about 17 kB a piece, as one commit. */
const logMuch = async (count: number): Promise<void> => {
	const changes = JSON.stringify(
		Array.from({ length: 500 }, (_, i) => [9_000_000 + i, 12_345, 29_654_321, 20, 1, 1])
	);
	await world.sql.begin(async (tx) => {
		await tx`
			insert into change_log (room_id, seq, changes)
			select r.id, r.seq + n,
				(select jsonb_agg(jsonb_set(c, '{0}', to_jsonb((c->>0)::int + n * 500)))
					from jsonb_array_elements(${changes}::text::jsonb) c)
			from rooms r, generate_series(1, ${count}::int) n where r.name = ${ROOM}`;
		await tx`update rooms set seq = seq + ${count} where name = ${ROOM}`;
	});
};

/** Stops reading, as a phone does that went into a tunnel. */
const stopReading = (socket: PatientClient): void => {
	const { transport } = socket.io.engine;
	const webSocket: unknown = Reflect.get(transport, 'ws');
	const tcp: unknown = Reflect.get(Object(webSocket), '_socket');
	Reflect.get(Object(tcp), 'pause').call(tcp);
};

test('[V10] one that stops reading is cut, the others get everything, and it comes back right', async () => {
	await using slow = connectPatient(hub);
	await using quick = connectPatient(hub);
	const views = [];
	for (const { socket } of [slow, quick]) {
		await connected(socket);
		const view = createView(socket, makeQuery());
		expect((await view.join()).ok).toBe(true);
		views.push(view);
	}
	const [slowView, quickView] = views;
	if (slowView === undefined || quickView === undefined) throw new Error('two views');
	const stood = slowView.position();
	stopReading(slow.socket);
	const isCut = () => hub.lines.some((line) => line.includes('viewer_cut'));
	for (let i = 0; i < 12 && !isCut(); i += 1) {
		await logMuch(100);
		await until(async () => quickView.position().seq === (await world.head()), {
			timeoutMs: 20_000
		});
	}
	await until(isCut);
	expect(quickView.gaps()).toBe(0);
	await until(() => hub.hub.readStatus().then((status) => status.sockets.patients === 1));

	await using back = connectPatient(hub);
	await connected(back.socket);
	const view = createView(back.socket, makeQuery());
	const reply = await view.join(stood);
	expect(reply.ok && reply.value.kind).toBe('snapshot');
	expect(view.position().seq).toBe(await world.head());
	expect(MAX_UNSENT_BYTES).toBe(256 * 1_024);
});
