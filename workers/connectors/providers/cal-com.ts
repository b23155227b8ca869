// Connector for Cal.com's API v2: the free times of each event type, one request each; booking by
// keeping the time first.
import { toInstant } from '#domain/time.ts';
import type { CalEventType, SourceSettings } from '#domain/source.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { createComputed, type Compute, type ComputedParts, type PlacedRead } from '../computed.ts';
import type { Connector } from '../connector.ts';
import { fetchFile, inParallel, type FetchContext, type KeptFile } from '../fetch-files.ts';
import { unheard, type Unheard } from '../http-faults.ts';
import type { PollWindow } from '../poll-window.ts';
import { silentFor, silentOf } from '../silent.ts';
import { createCalComBooking } from './cal-com-booking.ts';
import { createCalComCancel } from './cal-com-cancel.ts';
import {
	calBaseOf,
	calHeaders,
	envelopeOf,
	scheduleKeyOf,
	SLOTS_VERSION
} from './cal-com-shapes.ts';
import { readsOfTimes } from './cal-com-slots.ts';
import { notedSchedule } from './noted-schedule.ts';

const slotsUrl = (base: string, { id }: CalEventType, { askFrom, to }: PollWindow): string => {
	const url = new URL(`${calBaseOf(base)}/v2/slots`);
	url.searchParams.set('eventTypeId', String(id));
	url.searchParams.set('start', new Date(askFrom).toISOString());
	url.searchParams.set('end', new Date(to).toISOString());
	url.searchParams.set('format', 'range');
	return url.href;
};

type Times =
	| {
			readonly ok: true;
			readonly reads: readonly PlacedRead[];
			readonly file: KeptFile;
			readonly bytes: number;
	  }
	| Unheard;

const timesOf = async (
	context: FetchContext,
	type: CalEventType,
	{ window, source }: { window: PollWindow; source: SourceSettings }
): Promise<Times> => {
	const fetched = await fetchFile(context, slotsUrl(source.url, type, window), 'application/json');
	if (!fetched.ok) return fetched;
	const { file, bytes } = fetched;
	const envelope = envelopeOf(file.body);
	const reads = envelope === null ? null : readsOfTimes(envelope.data, type, source.notes);
	return reads === null
		? unheard('not_understood', 'The answer is none of this API and version.', { bytes })
		: { ok: true, reads, file, bytes };
};

const scheduleOf = (type: CalEventType, source: SourceSettings): ScheduleFact => {
	const { notes } = source;
	const own = {
		...source,
		notes: {
			...notes,
			specialtyIds: type.specialtyIds ?? notes.specialtyIds,
			kinds: type.kinds ?? notes.kinds,
			practitionerName: type.name ?? notes.practitionerName
		}
	};
	return notedSchedule(own, { key: scheduleKeyOf(type) });
};

const compute =
	({ secretOf }: ComputedParts): Compute =>
	async (request, context, window) => {
		const { source, now } = request;
		const types = source.notes.calEventTypes;
		if (types === undefined) return silentFor('misconfigured', 'The event types must be noted.', 0);
		const headers = calHeaders(SLOTS_VERSION, await secretOf(source.key));
		const withHeaders: FetchContext = { ...context, headers };
		const all = await inParallel(types, (type) => timesOf(withHeaders, type, { window, source }));
		const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
		const good = all.filter((each) => each.ok);
		const fault = all.find((each) => !each.ok);
		if (good.length === 0 && fault !== undefined) return silentOf(fault, bytes);
		const ages = good.map(({ file }) => file.maxAgeMs).filter((age) => age !== null);
		return {
			reads: good.flatMap(({ reads }) => reads),
			schedules: types.map((type) => scheduleOf(type, source)),
			isWhole: fault === undefined,
			unread: types.filter((_, at) => all[at]?.ok !== true).map(scheduleKeyOf),
			listsOnlyFree: true,
			takesWindow: true,
			isJudged: true,
			files: good.map(({ file }) => file),
			validAt: toInstant(good[0]?.file.dateMs ?? now),
			maxAgeMs: ages.length === 0 ? null : Math.min(...ages),
			cursor: { eventTypes: types.length },
			bytes
		};
	};

/** Creates the connector. */
export const createCalCom = (parts: ComputedParts): Connector => ({
	...createComputed(parts, compute(parts)),
	...createCalComBooking(parts.http, parts.secretOf),
	cancel: createCalComCancel(parts.http, parts.secretOf)
});
