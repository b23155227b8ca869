// Makes slots of Cal.com's answer to `GET /v2/slots`: days, each with the times that are free. Pure;
// a time that cannot be read is refused with its reason.
import type { CalEventType, SourceSettings } from '#domain/source.ts';
import type { SlotFact } from '#domain/slot.ts';
import { DAY_MS, MINUTE_MS, parseOffsetInstant, toInstant, type Instant } from '#domain/time.ts';
import type { PlacedRead } from '../computed.ts';
import { scheduleKeyOf } from './cal-com-shapes.ts';
import { isJson, type Json } from './fhir-shapes.ts';

const MAX_SEATS = 100_000;

const seatsOf = (value: unknown): number | null =>
	typeof value === 'number' && Number.isInteger(value) && value >= 0
		? Math.min(value, MAX_SEATS)
		: null;

const instantOf = (value: unknown): Instant | null =>
	typeof value === 'string' ? (parseOffsetInstant(value)?.at ?? null) : null;

const endOf = (entry: Json, start: Instant, { minutes }: CalEventType): Instant | string => {
	if (entry['end'] !== undefined) return instantOf(entry['end']) ?? 'end is not an instant';
	if (minutes === undefined) return 'no end, and the event type is noted without a length';
	return toInstant(start + minutes * MINUTE_MS);
};

const readTime = (
	entry: unknown,
	type: CalEventType,
	notes: SourceSettings['notes']
): PlacedRead['read'] => {
	const scheduleKey = scheduleKeyOf(type);
	const bad = (reason: string): PlacedRead['read'] => ({ kind: 'bad', reason, scheduleKey });
	if (!isJson(entry)) return bad('no object');
	const start = instantOf(entry['start']);
	if (start === null) return bad('start is not an instant');
	const end = endOf(entry, start, type);
	if (typeof end === 'string') return bad(end);
	if (end <= start) return bad('ends before it starts');
	if (end - start > DAY_MS) return bad('longer than a day');
	const left = entry['seatsRemaining'] === undefined ? 1 : seatsOf(entry['seatsRemaining']);
	if (left === null) return bad('seats left are no number');
	const fact: SlotFact = {
		scheduleKey,
		startsAt: start,
		endsAt: end,
		service: '',
		status: left > 0 ? 'free' : 'busy',
		capacity: Math.max(seatsOf(entry['seatsTotal']) ?? left, left, 1),
		remaining: left,
		sourceSlotId: `${type.id}-${new Date(start).toISOString()}`,
		version: '',
		kinds: null,
		bookUrl: notes.bookUrl ?? null,
		bookPhone: null
	};
	return {
		kind: 'slot',
		fact,
		id: fact.sourceSlotId,
		isOffsetWrong: false,
		isStatusUnknown: false,
		isOrphan: false
	};
};

/** The slots of one event type; null = `data` is no answer of this API. */
export const readsOfTimes = (
	data: unknown,
	type: CalEventType,
	notes: SourceSettings['notes']
): PlacedRead[] | null => {
	if (!isJson(data)) return null;
	const reads: PlacedRead[] = [];
	for (const [day, times] of Object.entries(data)) {
		const where = `${scheduleKeyOf(type)} ${day.slice(0, 10)}`;
		if (!Array.isArray(times)) {
			const reason = 'a day without a list of times';
			reads.push({ where, read: { kind: 'bad', reason, scheduleKey: scheduleKeyOf(type) } });
			continue;
		}
		for (const [at, entry] of times.entries()) {
			reads.push({ where: `${where} ${at + 1}`, read: readTime(entry, type, notes) });
		}
	}
	return reads;
};
