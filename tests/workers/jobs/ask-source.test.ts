// A source is asked within a time that holds whatever its connector does.
import { expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import type { PollRequest } from '#workers/connectors/connector.ts';
import { askSource } from '#workers/jobs/ask-source.ts';
import {
	createFakeConnector,
	createTestLog,
	makeAnswer,
	makeSilence,
	makeSource
} from '../fakes.ts';

const sourceId = SourceId.parse(1);
const request: Omit<PollRequest, 'signal'> = {
	source: makeSource(),
	cursor: {},
	basis: null,
	token: 'big-sky-1',
	now: toInstant(0),
	wantFull: true
};
const options = (deadlineMs: number, signal = new AbortController().signal) => ({
	sourceId,
	deadlineMs,
	signal,
	log: createTestLog().log
});

test('[W4] an answer in time is the answer', async () => {
	const answer = makeAnswer();
	const asked = await askSource(
		createFakeConnector(() => answer),
		request,
		options(10_000)
	);
	expect(asked.answer).toBe(answer);
});

test('[W4][W10] a connector that ignores its signal is left behind', async () => {
	const hanging = createFakeConnector(() => new Promise(() => {}));
	const { answer } = await askSource(hanging, request, options(20));
	expect(answer).toMatchObject({ state: 'silent', reason: 'timeout' });
	expect(hanging.requests[0]?.signal.aborted).toBe(true);
});

test('[W4] a connector that stops at the deadline tells what it had read', async () => {
	const slow = createFakeConnector(
		({ signal }) =>
			new Promise((resolve) => {
				signal.addEventListener('abort', () =>
					resolve(makeSilence({ reason: 'timeout', bytes: 5_000_000 }))
				);
			})
	);
	const { answer } = await askSource(slow, request, options(20));
	expect(answer).toMatchObject({ reason: 'timeout', bytes: 5_000_000 });
});

test('[W4] a connector that throws because it was stopped was late, not broken', async () => {
	const throwing = createFakeConnector(
		({ signal }) =>
			new Promise((_, reject) => {
				signal.addEventListener('abort', () => reject(new Error('aborted')));
			})
	);
	const { answer } = await askSource(throwing, request, options(20));
	expect(answer).toMatchObject({ reason: 'timeout' });
});

test('[W18] going down stops the connector', async () => {
	const stop = new AbortController();
	stop.abort();
	const hanging = createFakeConnector(() => new Promise(() => {}));
	const { answer } = await askSource(hanging, request, options(60_000, stop.signal));
	expect(answer.state).toBe('silent');
	expect(hanging.requests[0]?.signal.aborted).toBe(true);
});
