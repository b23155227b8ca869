// Loops inside the process: no overlap, no end by a fault, an end when told.
import { expect, onTestFinished, test } from 'vitest';
import { pauseMs, startLoop } from '#workers/jobs/repeat.ts';
import { until } from '../../support/until.ts';
import { createGate, createTestLog } from '../fakes.ts';

test('[W21] a loop begins at once and goes on', async () => {
	let runs = 0;
	const loop = startLoop(
		{ name: 'count', everyMs: 1, run: async () => (runs += 1) },
		createTestLog().log
	);
	onTestFinished(() => loop.close());
	await until(() => runs >= 3);
});

test('[W21] a run never overlaps the one before, also when asked for by hand', async () => {
	let running = 0;
	let most = 0;
	let runs = 0;
	const gate = createGate();
	const run = async () => {
		running += 1;
		most = Math.max(most, running);
		await gate.passed;
		running -= 1;
		runs += 1;
	};
	const loop = startLoop({ name: 'slow', everyMs: 60_000, run }, createTestLog().log);
	const asked = [loop.now(), loop.now()];
	gate.open();
	await Promise.all(asked);
	expect({ most, runs }).toEqual({ most: 1, runs: 3 });
	await loop.close();
});

test('[W21] a fault is logged once, and the recovery', async () => {
	let runs = 0;
	const run = async () => {
		runs += 1;
		if (runs <= 3) throw new Error('away');
	};
	const { log, events } = createTestLog();
	const loop = startLoop({ name: 'faulty', everyMs: 1, run }, log);
	onTestFinished(() => loop.close());
	await until(() => runs >= 5);
	expect(events()).toEqual(['loop_failed', 'loop_recovered']);
});

test('[W18] closing waits for the run under way and begins no other', async () => {
	const gate = createGate();
	let runs = 0;
	const run = async () => {
		await gate.passed;
		runs += 1;
	};
	const loop = startLoop({ name: 'last', everyMs: 1, run }, createTestLog().log);
	const closed = loop.close();
	gate.open();
	await closed;
	await loop.now();
	expect(runs).toBeLessThanOrEqual(1);
});

test.each([
	[500, 0, 500],
	[500, 1, 1_000],
	[500, 3, 4_000],
	[500, 30, 15_000],
	[60_000, 30, 60_000]
])('[W21] every %i ms, after %i faults: pause of %i ms', (everyMs, faults, expected) => {
	expect(pauseMs(everyMs, faults)).toBe(expected);
});

test('[W18] closing waits for what its runs began and did not wait for', async () => {
	const gate = createGate();
	let written = 0;
	const settled = async () => {
		await gate.passed;
		written += 1;
	};
	const loop = startLoop(
		{ name: 'begins', everyMs: 60_000, run: async () => null, settled },
		createTestLog().log
	);
	const closed = loop.close();
	expect(written).toBe(0);
	gate.open();
	await closed;
	expect(written).toBe(1);
});
