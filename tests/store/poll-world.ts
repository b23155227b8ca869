// Builders of sources, schedules and answers, and a poll as the worker does it: claim, diff, commit.
import { noFlags, type SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import type { RoomEntry, WireChange } from '#domain/protocol.ts';
import type { ScheduleFact } from '#domain/schedule.ts';
import { diffFull } from '#domain/slot-diff.ts';
import type { SlotFact } from '#domain/slot.ts';
import { SourceSettings } from '#domain/source.ts';
import { must, type Result } from '#domain/result.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, toInstant, type Instant } from '#domain/time.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { commitPoll, type PolledCommit } from '#server/store/commit-poll.ts';
import { readKnownSlots } from '#server/store/slots.ts';
import { claimPoll, upsertSource, type PollClaim, type Suspect } from '#server/store/sources.ts';

/** Tomorrow, on the minute: upcoming for as long as a test lasts. */
export const tomorrow: Instant = toInstant(
	Math.floor((Date.now() + DAY_MS) / MINUTE_MS) * MINUTE_MS
);

export const makeSource = (over: Partial<SourceSettings> = {}): SourceSettings =>
	SourceSettings.parse({
		key: 'big-sky',
		name: 'Big Sky Telehealth',
		kind: 'smart-scheduling-links',
		url: 'https://clinic.example/manifest.json',
		minIntervalMs: 1_000,
		...over
	});

export const makeSchedule = (over: Partial<ScheduleFact> = {}): ScheduleFact => ({
	key: 'a',
	practitionerName: 'Dr. Ada Moss',
	practitionerNpi: null,
	organizationName: 'Big Sky Telehealth',
	specialtyIds: ['dermatology'],
	regions: ['US-MT'],
	kinds: ['video'],
	languages: ['en'],
	planIds: null,
	zone: 'America/Denver',
	phone: null,
	...over
});

/** The `index`th quarter of an hour of tomorrow. */
export const makeFact = (index: number, over: Partial<SlotFact> = {}): SlotFact => {
	const startsAt = toInstant(tomorrow + index * 15 * MINUTE_MS);
	const isFree = (over.status ?? 'free') === 'free';
	return {
		scheduleKey: 'a',
		startsAt,
		endsAt: toInstant((over.startsAt ?? startsAt) + 15 * MINUTE_MS),
		service: '',
		status: 'free',
		capacity: 1,
		remaining: isFree ? 1 : 0,
		sourceSlotId: `s${index}`,
		version: '',
		kinds: null,
		bookUrl: null,
		bookPhone: null,
		...over
	};
};

export const makeAnswer = (over: Partial<SpokenAnswer> = {}): SpokenAnswer => ({
	state: 'complete',
	validAt: toInstant(Date.now()),
	window: { from: toInstant(Date.now()), to: toInstant(tomorrow + 13 * DAY_MS) },
	listing: { form: 'unchanged' },
	schedules: null,
	unreadSchedules: [],
	explicitEmpty: false,
	flags: noFlags,
	refused: [],
	maxAgeMs: null,
	cursor: {},
	bytes: 0,
	...over
});

export const claim = async (sql: Sql, sourceId: SourceId): Promise<PollClaim> =>
	must(await claimPoll(sql, sourceId, HOUR_MS), 'claim');

export type Poll = {
	readonly facts: readonly SlotFact[];
	readonly schedules?: readonly ScheduleFact[] | null;
	readonly answer?: Partial<SpokenAnswer>;
	readonly suspect?: Suspect | null;
	/** A claim taken earlier; by default a new one. */
	readonly claim?: PollClaim;
};

/** One whole poll with a full listing. */
export const tryPoll = async (
	sql: Sql,
	sourceId: SourceId,
	poll: Poll
): Promise<Result<PolledCommit, 'fenced'>> => {
	const held = poll.claim ?? (await claim(sql, sourceId));
	const answer = makeAnswer({
		listing: { form: 'full', facts: poll.facts },
		schedules: poll.schedules ?? null,
		...poll.answer
	});
	const changes = diffFull(await readKnownSlots(sql, sourceId), poll.facts, answer);
	return await commitPoll(sql, {
		claim: held,
		answer,
		changes,
		nextPollInMs: 0,
		suspect: poll.suspect ?? null
	});
};

export const poll = async (sql: Sql, sourceId: SourceId, told: Poll): Promise<PolledCommit> => {
	const result = await tryPoll(sql, sourceId, told);
	if (!result.ok) throw new Error(result.reason);
	return result.value;
};

/** A source with one schedule and these slots, polled once. */
export const makePolledSource = async (
	sql: Sql,
	facts: readonly SlotFact[],
	over: { source?: Partial<SourceSettings>; schedules?: readonly ScheduleFact[] } = {}
): Promise<SourceId> => {
	const sourceId = await upsertSource(sql, makeSource(over.source));
	await poll(sql, sourceId, { facts, schedules: over.schedules ?? [makeSchedule()] });
	return sourceId;
};

export const slotIds = async (sql: Sql): Promise<Map<string, number>> => {
	const rows = await sql<{ source_slot_id: string; id: number }[]>`
		select source_slot_id, id from slots`;
	return new Map(rows.map((row) => [row.source_slot_id, row.id]));
};

/** All log entries of a room, oldest first. */
export const readWholeLog = async (sql: Sql, room: string): Promise<RoomEntry[]> => {
	const rows = await sql<{ seq: number; changes: WireChange[] }[]>`
		select l.seq, l.changes from change_log l join rooms r on r.id = l.room_id
		where r.name = ${room} order by l.seq`;
	return rows.map(({ seq, changes }) => ({ room, seq, changes }));
};

/** A claim of ours, as the hold function writes it, until `until` ('infinity' = booked). */
export const claimSlot = async (sql: Sql, slotId: number, until: Instant): Promise<void> => {
	await sql`
		update slots set fence = fence + 1, claim_fences = claim_fences || (fence + 1),
			claim_untils = claim_untils || ${until}::timestamptz, own_changed_at = clock_timestamp()
		where id = ${slotId}`;
};
