// What an answer of a source was like, for operators.
import type { AnswerFlags } from '#domain/answer.ts';
import type { TryReport } from '#domain/source-desk.ts';
import { m } from './words.ts';

/** Whether it answered, and why not. */
export const answeredWords = ({ state, reason, detail }: TryReport): string => {
	const how = {
		complete: m.sources_tried_complete(),
		partial: m.sources_tried_partial(),
		silent: m.sources_tried_silent()
	}[state];
	if (reason === null) return how;
	return `${how} ${m.sources_tried_why({ reason, detail: detail ?? '' })}`;
};

/** What looked wrong in it, in counts; nothing when that is not known. */
export const flagWords = (flags: AnswerFlags | null): string =>
	flags === null
		? ''
		: m.status_flags({
				records: flags.records,
				bad: flags.badRecords,
				offsets: flags.offsetMismatches,
				repeated: flags.repeatedIds,
				duplicates: flags.duplicates,
				unknown: flags.unknownStatuses,
				orphans: flags.orphans
			});
