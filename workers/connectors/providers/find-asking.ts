// Asks `Appointment/$find` in the words of Argonaut, IHE or Medplum, and follows its pages.
import type { FhirFind } from '#domain/source.ts';
import { DAY_MS, toInstant } from '#domain/time.ts';
import type { Window } from '../ledger.ts';
import { explainStatus, unheard, type Heard, type Unheard } from '../http-faults.ts';
import { dateOf } from '../http-headers.ts';
import { askFhir, resourceOf, type Session } from './fhir-session.ts';
import { appointmentsOf, bundleOf } from './find-reading.ts';
import { listOf, textOf, type Json } from './fhir-shapes.ts';

export type FoundAnswers = {
	readonly answers: readonly Json[];
	/** Why not everything that was asked for came. */
	readonly fault: Unheard | null;
	readonly dateMs: number | null;
	readonly bytes: number;
};

/** Proposals of one page at most: Medplum's own limit. */
const COUNT = 1_000;
const MAX_PAGES = 100;
/** Medplum refuses longer spans. */
const LONGEST_SPAN_MS = 31 * DAY_MS;

type Question = {
	readonly path: string;
	/** Sent by POST; null = by GET. */
	readonly body: string | null;
};

const iso = (at: number): string => new Date(at).toISOString();

/** Windows no longer than a server takes. */
const spansOf = ({ from, to }: Window, { style }: FhirFind): Window[] => {
	const longest = style === 'medplum' ? LONGEST_SPAN_MS : to - from;
	const spans: Window[] = [];
	for (let start: number = from; start < to; start += longest) {
		spans.push({ from: toInstant(start), to: toInstant(Math.min(start + longest, to)) });
	}
	return spans;
};

const parametersOf = (parameter: readonly object[]): string =>
	JSON.stringify({ resourceType: 'Parameters', parameter });

const questionOf = (find: FhirFind, span: Window, schedule: string | null): Question => {
	const practitioners = find.practitioners ?? [];
	if (find.style === 'ihe') {
		const body = parametersOf([
			{ name: 'start', valueDateTime: iso(span.from) },
			{ name: 'end', valueDateTime: iso(span.to) },
			...practitioners.map((reference) => ({ name: 'practitioner', valueReference: { reference } }))
		]);
		return { path: `Appointment/$find?_count=${COUNT}`, body };
	}
	const query = new URLSearchParams({ start: iso(span.from), end: iso(span.to) });
	for (const reference of practitioners) query.append('practitioner', reference);
	if (schedule !== null) query.set('schedule', schedule);
	if (find.service !== undefined) query.set('service-type-reference', find.service);
	query.set('_count', String(COUNT));
	return { path: `Appointment/$find?${query}`, body: null };
};

const send = (session: Session, { path, body }: Question): Promise<Heard | Unheard> =>
	askFhir(session, path, {
		...(body !== null && {
			method: 'POST' as const,
			body,
			headers: { 'content-type': 'application/fhir+json' }
		})
	});

/** The next page, as a path below the base; null = none, 'elsewhere' = it leaves the source. */
const nextOf = (answer: Json, base: string): string | null => {
	const links = listOf(bundleOf(answer)?.['link']);
	const url = textOf(links.find((link) => link['relation'] === 'next')?.['url'], 2_000);
	if (url === '') return null;
	const full = URL.canParse(url, `${base}/`) ? new URL(url, `${base}/`).href : '';
	return full.startsWith(`${base}/`) ? full.slice(base.length + 1) : 'elsewhere';
};

/** `mostBytes`: all answers together. */
export const askFind = async (
	session: Session,
	find: FhirFind,
	{ window, mostBytes }: { window: Window; mostBytes: number }
): Promise<FoundAnswers> => {
	const answers: Json[] = [];
	let bytes = 0;
	let left = mostBytes;
	let dateMs: number | null = null;
	const end = (fault: Unheard | null): FoundAnswers => ({ answers, fault, dateMs, bytes });
	const schedules = find.style === 'medplum' ? (find.schedules ?? []) : [null];
	const questions = schedules.flatMap((schedule) =>
		spansOf(window, find).map((span) => questionOf(find, span, schedule))
	);
	for (const first of questions) {
		const seen = new Set<string>();
		let question: Question | null = first;
		while (question !== null) {
			const isOdd =
				question.path === 'elsewhere' || seen.has(question.path) || seen.size >= MAX_PAGES;
			if (isOdd) return end(unheard('not_understood', 'The pages lead elsewhere or in a circle.'));
			seen.add(question.path);
			const heard = await send(session, question);
			bytes += heard.bytes;
			if (!heard.ok) return end(heard);
			left -= heard.body.byteLength;
			if (left < 0) return end(unheard('too_large', 'The answers are larger than allowed.'));
			if (heard.status !== 200) return end(explainStatus(heard));
			const answer = resourceOf(heard);
			if (answer === null || bundleOf(answer) === null) {
				return end(unheard('not_understood', 'The answer is no list of proposals.'));
			}
			dateMs ??= dateOf(heard.headers);
			answers.push(answer);
			const next = nextOf(answer, session.base);
			const isFull = appointmentsOf(answer).length >= COUNT;
			if (next === null && isFull) {
				return end(unheard('too_large', 'There are more proposals than one answer holds.'));
			}
			question = next === null ? null : { path: next, body: null };
		}
	}
	return end(null);
};
