// What an answer of a source was like, for operators.
import { silentReasons, type AnswerFlags, type SilentReason } from '#domain/answer.ts';
import type { TryReport } from '#domain/source-desk.ts';
import { m } from './words.ts';

/** O30: what kept it from being read, and what to do about it. */
const remedyWords = (reason: SilentReason): string =>
	({
		timeout: m.sources_unread_timeout,
		unreachable: m.sources_unread_unreachable,
		refused_address: m.sources_unread_refused_address,
		http_error: m.sources_unread_http_error,
		throttled: m.sources_unread_throttled,
		unauthorized: m.sources_unread_unauthorized,
		too_large: m.sources_unread_too_large,
		not_understood: m.sources_unread_not_understood,
		misconfigured: m.sources_unread_misconfigured
	})[reason]();

/** Whether it answered; if not, why and what to do. */
export const answeredWords = ({ state, reason, detail }: TryReport): string => {
	if (reason !== null) {
		const seen = detail === null ? '' : ` ${m.sources_unread_seen({ detail })}`;
		return `${remedyWords(reason)}${seen}`;
	}
	return {
		complete: m.sources_tried_complete(),
		partial: m.sources_tried_partial(),
		silent: m.sources_tried_silent()
	}[state];
};

const isSilentReason = (text: string): text is SilentReason =>
	(silentReasons as readonly string[]).includes(text);

/** How a poll ended, in a few words; as it stands where it is none that we know. */
export const outcomeWords = (outcome: string): string => {
	if (outcome === '') return '–';
	if (outcome === 'complete') return m.outcome_complete();
	if (outcome === 'partial') return m.outcome_partial();
	if (!isSilentReason(outcome)) return outcome;
	return {
		timeout: m.outcome_timeout,
		unreachable: m.outcome_unreachable,
		refused_address: m.outcome_refused_address,
		http_error: m.outcome_http_error,
		throttled: m.outcome_throttled,
		unauthorized: m.outcome_unauthorized,
		too_large: m.outcome_too_large,
		not_understood: m.outcome_not_understood,
		misconfigured: m.outcome_misconfigured
	}[outcome]();
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
