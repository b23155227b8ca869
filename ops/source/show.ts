// What `slotcast source` prints: for people by default, one JSON object a line where asked for.
import type { Answer } from '#domain/answer.ts';
import { freshnessOf } from '#domain/source.ts';
import type { SlotChange } from '#domain/slot-diff.ts';
import { reportOf, type TryReport } from '#domain/source-desk.ts';
import { MINUTE_MS, SECOND_MS, type Instant } from '#domain/time.ts';
import type { SourceStatusRow } from '#server/store/status.ts';
import type { TwinTrace } from '#server/store/twins.ts';
import type { Reread } from '#workers/jobs/replay-answer.ts';

/** Provider text is text: no sign that a terminal would obey is printed. */
const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

const timeText = (at: Instant, zone: string | null): string => {
	const how = { dateStyle: 'medium', timeStyle: 'short', timeZone: zone ?? 'UTC' } as const;
	return `${new Intl.DateTimeFormat('en-US', how).format(at)} ${zone ?? 'UTC'}`;
};

const flagWords = {
	badRecords: 'refused',
	offsetMismatches: 'with an offset that is not their zone’s',
	repeatedIds: 'under an id used before',
	duplicates: 'listed twice',
	unknownStatuses: 'with an unknown status',
	orphans: 'of schedules that are not described'
} as const;

const heardLines = (report: TryReport): string[] => {
	const { window, flags } = report;
	const lines = [
		`${report.state}: ${report.scheduleCount} schedules, ${report.slotCount} slots, ${report.openCount} of them open`
	];
	if (window !== null) {
		lines.push(`window: ${timeText(window.from, null)} to ${timeText(window.to, null)}`);
	}
	for (const one of report.schedules) {
		const where = one.regions.join(' ') || 'no region';
		const what = one.specialtyIds.join(' ') || 'no specialty';
		lines.push(
			plain(`  ${one.practitionerName}, ${one.organizationName} (${one.zone}; ${what}; ${where})`)
		);
	}
	for (const one of report.slots) {
		lines.push(
			plain(`  ${timeText(one.startsAt, one.zone)} ${one.status}, ${one.practitionerName ?? '?'}`)
		);
	}
	if (report.unplacedCount > 0) {
		lines.push(
			`${report.unplacedCount} schedules would stand on no board: note specialtyIds and regions`
		);
	}
	for (const [flag, words] of Object.entries(flagWords)) {
		const count = flags?.[flag as keyof typeof flagWords] ?? 0;
		if (count > 0) lines.push(`${count} of ${flags?.records ?? 0} records ${words}`);
	}
	return lines;
};

const answerText = (report: TryReport): string => {
	const lines =
		report.state === 'silent'
			? [plain(`silent: ${report.reason ?? ''}. ${report.detail ?? ''}`)]
			: heardLines(report);
	for (const { where, reason } of report.refused)
		lines.push(plain(`  refused ${where}: ${reason}`));
	return `${lines.join('\n')}\n`;
};

/** For people. */
export const reportText = (report: TryReport): string =>
	`${answerText(report)}${report.bytes} bytes in ${report.tookMs} ms\n`;

/** For people: what a kept answer says today, and what that would change. */
export const replayText = ({ raw, answer, changes, isSuspect }: Reread): string => {
	const count = (kind: SlotChange['kind']): number =>
		changes.filter((change) => change.kind === kind).length;
	const lines = [
		`answer of ${new Date(raw.askedAt).toISOString()} (then: ${raw.outcome}), ${raw.plainBytes} bytes`,
		answerText(reportOf(answer, 0)).trimEnd(),
		`it would add ${count('added')}, change ${count('changed')}, remove ${count('removed')} slots`
	];
	if (isSuspect)
		lines.push('it loses so much at once that it must be seen twice: nothing is removed');
	return `${lines.join('\n')}\n`;
};

/** All of an answer, for programs. */
export const answerLines = (answer: Answer): object[] => {
	if (answer.state === 'silent') {
		const { refused = [], ...summary } = answer;
		return [
			...refused.map((each) => ({ type: 'refused', ...each })),
			{ type: 'summary', ...summary }
		];
	}
	const { schedules, listing, refused, ...summary } = answer;
	const facts = listing.form === 'full' ? listing.facts : [];
	return [
		...(schedules ?? []).map((schedule) => ({ type: 'schedule', ...schedule })),
		...facts.map((fact) => ({
			type: 'slot',
			...fact,
			startsAt: new Date(fact.startsAt).toISOString(),
			endsAt: new Date(fact.endsAt).toISOString()
		})),
		...refused.map((each) => ({ type: 'refused', ...each })),
		{ type: 'summary', ...summary, schedules: schedules?.length ?? 0, slots: facts.length }
	];
};

export type ListedSource = SourceStatusRow & { readonly freshness: string };

export const listedOf = (row: SourceStatusRow, asOf: Instant): ListedSource => ({
	...row,
	freshness: freshnessOf(row.lastGoodAt === null ? null : asOf - row.lastGoodAt, row.freshForMs)
});

const ageText = (ms: number): string =>
	ms < 2 * MINUTE_MS ? `${Math.round(ms / SECOND_MS)} s` : `${Math.round(ms / MINUTE_MS)} min`;

const stateOf = ({ freshness, pausedAt, suspect, emptied }: ListedSource): string =>
	[
		freshness,
		...(pausedAt === null ? [] : ['paused']),
		...(suspect ? ['suspect'] : []),
		...(emptied === null ? [] : ['no times'])
	].join(', ');

const emptiedText = ({ key, emptied }: ListedSource): string[] =>
	emptied === null
		? []
		: [
				`${key}: answered with no times at all twice in a row; all ${emptied.count} of its times were taken off at ${timeText(emptied.at, null)}`
			];

/** For people: one line a source, and why where there is something to say. */
export const listText = (sources: readonly ListedSource[], asOf: Instant): string => {
	if (sources.length === 0) return 'No sources yet: slotcast source add --help\n';
	const rows = [
		['key', 'kind', 'state', 'last good', 'budget', 'schedules', 'open', 'secret'],
		...sources.map((one) => [
			one.key,
			one.kind,
			stateOf(one),
			one.lastGoodAt === null ? 'never' : `${ageText(asOf - one.lastGoodAt)} ago`,
			ageText(one.freshForMs),
			String(one.schedules),
			String(one.openSlots),
			one.hasSecret ? 'kept' : '-'
		])
	];
	const widths =
		rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
	const lines = rows.map((row) =>
		row
			.map((cell, at) => cell.padEnd(widths[at] ?? 0))
			.join('  ')
			.trimEnd()
	);
	const why = sources.flatMap((one) => {
		const { key, pausedAt, pausedBecause, failures, lastOutcome, lastDetail } = one;
		const lines = emptiedText(one);
		if (pausedAt !== null) lines.push(`${key}: paused, ${pausedBecause || 'no reason given'}`);
		else if (failures > 0)
			lines.push(`${key}: ${failures} failures, ${lastOutcome ?? ''}. ${lastDetail ?? ''}`);
		return lines;
	});

	return `${[...lines, ...why.map(plain)].join('\n')}\n`;
};

/** For people: one line a decision, newest first. */
export const twinText = (traces: readonly TwinTrace[]): string =>
	traces.length === 0
		? 'No practitioner is listed by several sources.\n'
		: traces
				.map(({ at, source, practitionerName, because }) =>
					plain(`${new Date(at).toISOString()}  ${source}  ${practitionerName}  ${because}`)
				)
				.map((line) => `${line}\n`)
				.join('');
