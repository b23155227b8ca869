// Recalls a listing of Slots that this process has not kept: every page is as it was.
import type { Fingerprint, SpokenAnswer } from '#domain/answer.ts';
import { toInstant } from '#domain/time.ts';
import type { PollRequest } from '../connector.ts';
import type { FetchContext } from '../fetch-files.ts';
import { windowOf, type PollWindow } from '../poll-window.ts';
import { readAsOf } from '../read-as.ts';
import {
	aboutOf,
	areAsPrinted,
	asBefore,
	beginRecall,
	isAsPrinted,
	parsePrint,
	printOf,
	type Recall
} from '../recall.ts';
import { baseOf, DIRECTORY_MS, type Calendar } from './fhir-calendar.ts';
import { fhirJson, slotSearch, type Page } from './fhir-search.ts';

const aboutSearch = ({ source }: PollRequest, window: PollWindow): string =>
	aboutOf('search', slotSearch(baseOf(source.url), window), readAsOf(source));

/** The fingerprint of a complete answer of these pages. */
export const printOfSearch = (read: {
	readonly answer: SpokenAnswer;
	readonly request: PollRequest;
	readonly calendar: Calendar;
	readonly beyondAt: number;
	readonly pages: readonly Page[];
}): Fingerprint =>
	printOf({
		answer: read.answer,
		about: aboutSearch(read.request, windowOf(read.request)),
		beyondAt: read.beyondAt,
		describedAt: read.calendar.readAt,
		transactionAt: null,
		files: read.pages.map(({ file }) => file)
	});

/**
 * N20: `unchanged`, or what was heard on the way to seeing that it is not. The directory is asked for
 * as often as without it.
 */
export const recallSearch = async (
	context: FetchContext,
	request: PollRequest
): Promise<SpokenAnswer | Recall> => {
	const recall = beginRecall();
	const window = windowOf(request);
	const print = parsePrint(request, window);
	if (print?.about !== aboutSearch(request, window)) return recall;
	if (request.now - print.describedAt >= DIRECTORY_MS) return recall;
	const [first, ...others] = print.files;
	const isSame =
		first !== undefined &&
		(await isAsPrinted(recall, context, first, fhirJson)) &&
		(await areAsPrinted(recall, context, others, fhirJson));
	if (!isSame) return recall;
	const validAt = toInstant(recall.dateMs ?? request.now);
	return asBefore(print, request, window, { recall, validAt });
};
