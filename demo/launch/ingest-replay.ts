// Reads each recorded publication once, by the very path of a live poll, with the clock of the day
// it was recorded on: today all its times lie in the past, and a poll rightly speaks of none of
// them. Says what came out.
import type { AnswerFlags } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import { createLog } from '#server/platform/log.ts';
import { createPostgres } from '#server/platform/postgres.ts';
import type { Connector } from '#workers/connectors/connector.ts';
import { createConnectors } from '#workers/connectors/connectors.ts';
import { createPollSource } from '#workers/jobs/poll-source.ts';
import type { PollReport } from '#workers/jobs/poll-source.ts';

type Options = {
	databaseUrl: string;
	sources: readonly { id: SourceId; settings: { key: string } }[];
	/** The clock of each source, by key. */
	replayNow: ReadonlyMap<string, Instant>;
	say: (line: string) => void;
};

const number = (value: number): string => value.toLocaleString('en');

/** One line for a person: `smart-kroger: 4 slots`, and what was odd about them. */
export const describeIngest = (
	key: string,
	report: PollReport,
	flags: AnswerFlags | undefined
): string => {
	if (report.state === 'silent') return `${key}: could not be read (${report.reason})`;
	if (report.state !== 'committed' || flags === undefined) return `${key}: ${report.state}`;
	const odd = [
		[flags.repeatedIds, 'repeated ids'],
		[flags.offsetMismatches, 'wrong offsets'],
		[flags.badRecords, 'unreadable'],
		[flags.unknownStatuses, 'unknown statuses']
	] as const;
	const said = odd.flatMap(([count, what]) => (count > 0 ? [`${number(count)} ${what}`] : []));
	return [`${key}: ${number(flags.records)} slots`, ...said].join(', ');
};

/** The connector as it is, but told another time. */
const onDayOf = (
	connector: Connector,
	replayNow: ReadonlyMap<string, Instant>,
	heard: (key: string, flags: AnswerFlags) => void
): Connector => ({
	...connector,
	poll: async (request) => {
		const { key } = request.source;
		const answer = await connector.poll({ ...request, now: replayNow.get(key) ?? request.now });
		if (answer.state !== 'silent') heard(key, answer.flags);
		return answer;
	}
});

/** Polls every source once; the hub started afterwards shows them on the operator's page. */
export const ingestReplay = async (options: Options): Promise<void> => {
	const { replayNow, say } = options;
	const sql = createPostgres(options.databaseUrl, { max: 2, applicationName: 'slotcast-replay' });
	const connectors = createConnectors({ allowPrivate: true });
	const flags = new Map<string, AnswerFlags>();
	const heard = (key: string, found: AnswerFlags): void => {
		flags.set(key, found);
	};
	const poll = createPollSource({
		sql,
		connectors: {
			...connectors,
			'smart-scheduling-links': onDayOf(connectors['smart-scheduling-links'], replayNow, heard),
			'fhir-slots': onDayOf(connectors['fhir-slots'], replayNow, heard)
		},
		publish: () => {},
		queues: { addPoll: () => Promise.resolve(true), addAlerts: () => Promise.resolve() },
		log: createLog({ name: 'replay', level: 'silent' })
	});
	try {
		for (const { id, settings } of options.sources) {
			const report = await poll(id, new AbortController().signal);
			say(describeIngest(settings.key, report, flags.get(settings.key)));
		}
		say('recorded times that are over stay off the board; the operator page shows the sources');
	} finally {
		await connectors.close();
		await sql.end({ timeout: 5 });
	}
};
