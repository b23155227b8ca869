import { expect, test } from 'vitest';
import { noFlags, type SpokenAnswer } from '#domain/answer.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { givesNothing, reportOf, SourceSecret } from '#domain/source-desk.ts';
import { toInstant } from '#domain/time.ts';
import { makeFact } from '../store/poll-world.ts';

const schedule = (key: string, over: Partial<ScheduleFact> = {}): ScheduleFact => ({
	key,
	practitionerName: `Dr. ${key}`,
	practitionerNpi: null,
	organizationName: 'Big Sky',
	specialtyIds: ['dermatology'],
	regions: ['US-MT'],
	kinds: ['video'],
	languages: [],
	planIds: null,
	zone: 'America/Denver',
	phone: null,
	...over
});

const answer = (over: Partial<SpokenAnswer> = {}): SpokenAnswer => ({
	state: 'complete',
	validAt: toInstant(0),
	window: { from: toInstant(0), to: toInstant(9) },
	listing: { form: 'full', facts: [] },
	schedules: [],
	unreadSchedules: [],
	explicitEmpty: false,
	flags: noFlags,
	refused: [],
	maxAgeMs: null,
	cursor: {},
	bytes: 12,
	...over
});

test('[E4] a try shows counts, the first schedules and the soonest slots', () => {
	const { scheduleKey } = makeFact(0);
	const facts = [7, 1, 2, 3, 4, 5].map((nr) => makeFact(nr, nr === 1 ? { status: 'busy' } : {}));
	const schedules = [schedule(scheduleKey), schedule('b', { regions: [] })];
	const report = reportOf(answer({ listing: { form: 'full', facts }, schedules }), 40);
	expect(report).toMatchObject({
		state: 'complete',
		reason: null,
		scheduleCount: 2,
		unplacedCount: 1,
		slotCount: 6,
		openCount: 5,
		bytes: 12,
		tookMs: 40
	});
	expect(report.slots.map(({ startsAt }) => startsAt)).toEqual(
		[1, 2, 3, 4, 5].map((nr) => makeFact(nr).startsAt)
	);
	expect(report.slots[0]).toMatchObject({ practitionerName: `Dr. ${scheduleKey}`, status: 'busy' });
	expect(givesNothing(report)).toBe(false);
});

test('[E4] a silent source and one without times give nothing', () => {
	const silent = reportOf(
		{ state: 'silent', reason: 'timeout', detail: 'No answer.', retryAfterMs: null, bytes: 0 },
		1
	);
	expect(silent).toMatchObject({ reason: 'timeout', detail: 'No answer.', slotCount: 0 });
	expect(givesNothing(silent)).toBe(true);
	expect(givesNothing(reportOf(answer({ schedules: [schedule('a')] }), 1))).toBe(true);
});

test.each(['', 'two words', 'tab\there', 'é', 'x'.repeat(4001)])(
	'[E14] %j is no secret',
	(text) => {
		expect(SourceSecret.safeParse(text).success).toBe(false);
	}
);

test('[E14] a secret may be written with a line end after it', () => {
	expect(SourceSecret.parse('abc=\n')).toBe('abc=');
});
