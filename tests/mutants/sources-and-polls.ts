// Known bugs of reading sources: what they say, when they are asked, and what may be reached.
import type { Mutant } from './mutant.ts';

const committing = ['tests/store/commit-poll.pg.test.ts'];
const pushing = ['tests/push/take-push.pg.test.ts'];
const planning = ['tests/workers/jobs/plan-poll.test.ts'];
const nearing = ['tests/workers/jobs/near-polls.pg.test.ts'];
const printing = ['tests/store/fingerprints.pg.test.ts'];
const asking = ['tests/workers/connectors/http-client.test.ts'];

export const sourcesAndPolls: readonly Mutant[] = [
	{
		name: 'partial-answer-removes',
		why: 'one page that did not come empties the calendar of a clinic',
		file: 'domain/slot-diff.ts',
		find: "\tif (scope.state !== 'complete' && !isTold) return () => false;\n",
		replace: '',
		project: 'unit',
		tests: ['tests/domain/slot-diff.test.ts'],
		catcher: 'D5'
	},
	{
		name: 'since-moved-slot-stays',
		why: 'a visit that a publisher moved stays open at its old time too',
		file: 'workers/connectors/providers/smart-changes.ts',
		find: '\t\t\tif (former !== null) gone.push(former);\n\t\t\theld',
		replace: '\t\t\theld',
		project: 'unit',
		tests: ['tests/workers/connectors/providers/smart-since.test.ts'],
		catcher: 'A107'
	},
	{
		name: 'unread-schedule-removed',
		why: 'times of a schedule that could not be read vanish',
		file: 'domain/slot-diff.ts',
		find: ' &&\n\t\t!unread.has(fact.scheduleKey);',
		replace: ';',
		project: 'unit',
		tests: ['tests/domain/slot-diff.test.ts'],
		catcher: 'D5'
	},
	{
		name: 'shrink-believed-at-once',
		why: 'a publisher that serves an empty file by mistake is taken at its word',
		file: 'workers/jobs/decide-shrink.ts',
		find: 'return agreed ? null : { freeAfter };',
		replace: 'return null;',
		project: 'unit',
		tests: ['tests/workers/jobs/decide-shrink.test.ts'],
		catcher: 'W12'
	},
	{
		name: 'poll-without-fence',
		why: 'a slow poll writes old news over new ones',
		file: 'server/store/commit-poll.ts',
		find: ' and poll_gen = ${claim.gen} and committed_gen < ${claim.gen}',
		replace: '',
		project: 'pg',
		tests: committing,
		catcher: 'S2'
	},
	{
		name: 'silence-without-fence',
		why: 'a slow poll that failed puts off the source that works again',
		file: 'server/store/sources.ts',
		find: ' and poll_gen = ${silence.gen}\n\t\t\tand committed_gen < ${silence.gen} and polling_until is not null',
		replace: '',
		project: 'pg',
		tests: ['tests/store/sources.pg.test.ts'],
		catcher: 'S14'
	},
	{
		name: 'poll-opens-what-we-hold',
		why: 'a poll that began before a booking shows its time open again',
		file: 'server/store/slot-outcome.ts',
		find: 'row !== null && row.isOwnNewer && isMoreOpen(before, after)',
		replace: 'row === null && isMoreOpen(before, after)',
		project: 'unit',
		tests: ['tests/store/slot-outcome.test.ts'],
		catcher: 'S6'
	},
	{
		name: 'push-counted-twice',
		why: 'a message replayed to another hub counts again',
		file: 'server/store/push.ts',
		find: '\treturn rows.length === 1;\n};\n\nconst keepNews',
		replace: '\treturn true;\n};\n\nconst keepNews',
		project: 'pg',
		tests: pushing,
		catcher: 'Y3'
	},
	{
		name: 'poll-overrules-a-newer-push',
		why: 'a poll that read before a push writes the old state over it',
		file: 'server/store/slot-outcome.ts',
		find: 'row?.isPushNewer === true',
		replace: 'row?.isPushNewer === undefined',
		project: 'pg',
		tests: pushing,
		catcher: 'Y7'
	},
	{
		name: 'signal-lost-during-a-poll',
		why: 'a change told of while a poll was under way is taken for answered by it',
		file: 'server/store/polling.ts',
		find: 'e.signalled_at > excluded.last_good_at',
		replace: 'false',
		project: 'pg',
		tests: pushing,
		catcher: 'Y11'
	},
	{
		name: 'stale-shown-fresh',
		why: 'an hour-old calendar is shown as if it were of now',
		file: 'domain/freshness.ts',
		find: 'if (ageMs <= freshForMs)',
		replace: 'if (ageMs <= 2 * freshForMs)',
		project: 'unit',
		tests: ['tests/domain/freshness.test.ts'],
		catcher: 'S1'
	},
	{
		name: 'silence-shown-fresh',
		why: 'a source that never answered looks as if it had',
		file: 'domain/freshness.ts',
		find: "return 'silent';",
		replace: "return 'fresh';",
		project: 'unit',
		tests: ['tests/domain/freshness.test.ts'],
		catcher: 'S1'
	},
	{
		name: 'retry-after-not-kept',
		why: 'a clinic that asks for rest is asked again at once',
		file: 'workers/jobs/plan-poll.ts',
		find: 'return Math.round(asked > own ? asked * (1 + SPREAD * chance) : own);',
		replace: 'return Math.round(asked < 0 ? asked : own);',
		project: 'unit',
		tests: planning,
		catcher: 'W1'
	},
	{
		name: 'retry-after-not-read',
		why: 'the header never reaches the plan',
		file: 'workers/connectors/http-faults.ts',
		find: 'retryAfterMs: retryAfterOf(heard.headers, Date.now())',
		replace: 'retryAfterMs: null',
		project: 'unit',
		tests: asking,
		catcher: 'N16'
	},
	{
		name: 'wrong-summer-offset-accepted',
		why: 'every visit of the summer is shown an hour off, and nobody is told',
		file: 'workers/connectors/providers/slot-facts.ts',
		find: 'return { at, isOffsetWrong: isClaim(value, offsetMinutes, offsets[0] ?? 0) };',
		replace: 'return { at, isOffsetWrong: false };',
		project: 'unit',
		tests: ['tests/workers/connectors/contract.test.ts'],
		catcher: 'A2'
	},
	{
		name: 'wall-time-of-the-day-before',
		why: 'times after a change of the clocks are an hour off',
		file: 'domain/zone.ts',
		find: 'if (offsetMinutesAt(first, zone) === before) return first;',
		replace: 'return first;',
		project: 'unit',
		tests: ['tests/domain/zone.test.ts'],
		catcher: 'T3'
	},
	{
		name: 'time-without-offset-read-as-utc',
		why: 'a wall time is taken for another one',
		file: 'domain/time.ts',
		find: '(Z|[+-]\\d{2}(?::?\\d{2})?)$/;',
		replace: '(Z|[+-]\\d{2}(?::?\\d{2})?|)$/;',
		project: 'unit',
		tests: ['tests/domain/time.test.ts'],
		catcher: 'T1'
	},
	{
		name: 'unknown-status-is-free',
		why: 'a word we do not know is offered to patients',
		file: 'workers/connectors/providers/slot-facts.ts',
		find: "isSlotStatus(slot['status']) ? slot['status'] : 'busy'",
		replace: "isSlotStatus(slot['status']) ? slot['status'] : 'free'",
		project: 'unit',
		tests: ['tests/workers/connectors/providers/smart-scheduling-links.test.ts'],
		catcher: 'A13'
	},
	{
		name: 'one-agent-for-all-sources',
		why: 'a connection opened for a trusted source is a way into private networks',
		file: 'workers/connectors/http-client.ts',
		find: 'const name = `${caller.key} ${reach.origin} ${reach.allowPrivate}`;',
		replace: "const name = 'shared';",
		project: 'unit',
		tests: asking,
		catcher: 'N12'
	},
	{
		name: 'names-not-looked-up-first',
		why: 'a public name that leads to a private address is asked',
		file: 'workers/connectors/address-guard.ts',
		find: 'first === undefined || !list.every(({ address }) => isReachable(address, vouched))',
		replace: 'first === undefined',
		project: 'unit',
		tests: asking,
		catcher: 'N12'
	},
	{
		name: 'removed-source-comes-back-unchanged',
		why: 'a worker that remembers its last answer calls the empty calendar of a source unchanged',
		file: 'server/store/sources.ts',
		find: 'or s.removed_at is not null as moved',
		replace: 'as moved',
		project: 'pg',
		tests: ['tests/store/operate-sources.pg.test.ts'],
		catcher: 'E6'
	},
	{
		name: 'replay-takes-the-place-of-newer-answers',
		why: 'an operator who reads an old answer again undoes what the clinic said since',
		file: 'server/store/sources.ts',
		find: 'and enabled and committed_gen <= ${heardGen}',
		replace: 'and enabled',
		project: 'pg',
		tests: ['tests/ops/source-replay.pg.test.ts'],
		catcher: 'E17'
	},
	{
		name: 'unchanged-since-a-listing-that-was-overtaken',
		why: 'a time that a near poll saw taken, and that came free again, stays taken',
		file: 'workers/jobs/poll-source.ts',
		find: 'tellMoved(heard, bases[reach]?.moved ?? noneMoved)',
		replace: 'tellMoved(heard, noneMoved)',
		project: 'pg',
		tests: nearing,
		catcher: 'W41'
	},
	{
		name: 'near-loss-taken-for-a-look-at-all-days',
		why: 'a listing that broke off once empties the calendar of next week',
		file: 'workers/jobs/compare-answer.ts',
		find: 'claim.suspect?.isNear === true ? null : claim.suspect',
		replace: 'claim.suspect',
		project: 'pg',
		tests: nearing,
		catcher: 'W40'
	},
	{
		name: 'recognised-although-a-near-poll-changed-it',
		why: 'a time that a near poll saw taken and that came free again stays taken for an hour',
		file: 'server/store/fingerprints.ts',
		find: '!left.isMirrored || left.isNews;',
		replace: '!left.isMirrored;',
		project: 'pg',
		tests: printing,
		catcher: 'S33'
	},
	{
		name: 'recognised-although-suspect',
		why: 'what a broken listing seemed to lose is taken for what the clinic says',
		file: 'server/store/commit-poll.ts',
		find: '\tsuspect === null &&\n',
		replace: '',
		project: 'pg',
		tests: printing,
		catcher: 'S33'
	},
	{
		name: 'recognised-by-the-first-page',
		why: 'a visit taken on page two of a listing stays open on the board',
		file: 'workers/connectors/recall.ts',
		find: 'isSame = false;\n\t});',
		replace: 'isSame = true;\n\t});',
		project: 'unit',
		tests: ['tests/workers/connectors/recall.test.ts'],
		catcher: 'N21'
	},
	{
		name: 'far-times-never-asked-for',
		why: 'near polls keep next month fresh for ever',
		file: 'domain/polling/near.ts',
		find: '\tnear.farAgeMs < FAR_SHARE * near.freshForMs &&\n',
		replace: '',
		project: 'unit',
		tests: ['tests/domain/polling/near.test.ts'],
		catcher: 'Q40'
	}
];
