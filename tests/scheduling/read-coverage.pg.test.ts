// What everybody may read of the sources.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
	world = await createWorld();
});
afterAll(async () => {
	await world.close();
});

test('[B11] sources by region, with what is open there now and nothing an operator alone may know', async () => {
	const far = await world.addSource({ outcome: 'partial' });
	const there = await world.addSchedule(far, { regions: ['US-AK'] });
	await world.addSource({ checkedAgoMs: null, outcome: 'timeout' });
	await world.addSlot(there);
	await world.addSlot(there, { inMs: -60_000 });
	await world.addSlot(world.scheduleId);
	await world.addSlot(world.scheduleId, { status: 'busy' });
	await world.hold(await world.addSlot(world.scheduleId));
	const seen = async (region: string | null) =>
		(await world.api.readCoverage(region)).sources.map(
			({ providers, openTimes, isPartial, lastGoodAt }) => ({
				providers,
				openTimes,
				isPartial,
				isHeard: lastGoodAt !== null
			})
		);
	const near = { providers: 1, openTimes: 1, isPartial: false, isHeard: true };
	const distant = { providers: 1, openTimes: 1, isPartial: true, isHeard: true };
	const never = { providers: 0, openTimes: 0, isPartial: false, isHeard: false };
	expect(await seen(null)).toEqual([near, distant, never]);
	expect(await seen('US-MT')).toEqual([near, never]);
	expect(await seen('US-AK')).toEqual([distant, never]);
	const { asOf, sources } = await world.api.readCoverage(null);
	expect(asOf - (sources[0]?.lastGoodAt ?? 0)).toBeGreaterThanOrEqual(1_000);
	expect(new Set(Object.keys(sources[0] ?? {}))).toEqual(
		new Set([
			'freshForMs',
			'isPaused',
			'isPartial',
			'isSuspect',
			'lastGoodAt',
			'name',
			'openTimes',
			'providers'
		])
	);
});

test('[B11] a source of a clinic that is paused says so; a removed one is not there', async () => {
	const gone = await world.addSource();
	await world.addSchedule(gone, { regions: ['US-HI'] });
	const paused = await world.addSource();
	await world.addSchedule(paused, { regions: ['US-HI'] });
	await world.sql`update sources set removed_at = now(), enabled = false where id = ${gone}`;
	await world.sql`update sources set paused_at = now(), enabled = false where id = ${paused}`;
	const { sources } = await world.api.readCoverage('US-HI');
	expect(sources.filter(({ lastGoodAt }) => lastGoodAt !== null)).toMatchObject([
		{ isPaused: true, providers: 1 }
	]);
});
