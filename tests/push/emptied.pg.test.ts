// A source that lost all of its times because it listed none gets one back by telling of it.
import { expect, test } from 'vitest';
import { readPushedSlot } from '#domain/push/pushed-slot.ts';
import { must } from '#domain/result.ts';
import { commitPush } from '#server/store/commit-push.ts';
import { createTestDatabase } from '../support/database.ts';
import { makeFact, makePolledSource } from '../store/poll-world.ts';
import { slotResource } from './push-world.ts';

test('[W51] a source whose times all went has times again when a push tells of one', async () => {
	await using database = await createTestDatabase();
	const { sql } = database;
	const sourceId = await makePolledSource(sql, [makeFact(1, { version: '1' })]);
	await sql`update sources set emptied_at = clock_timestamp(), emptied_count = 1`;
	const emptied = () => sql`select emptied_at is not null as emptied, emptied_count from sources`;
	expect(await emptied()).toEqual([{ emptied: true, emptied_count: 1 }]);
	const told = must(readPushedSlot(slotResource(makeFact(1, { version: '2' }))));
	await sql`
		insert into push_inbox (source_id, changes, slots)
		values (${sourceId}, 0, ${JSON.stringify([told])}::text::jsonb)`;
	expect(await commitPush(sql, sourceId)).toMatchObject({ unsure: 0 });
	expect(await emptied()).toEqual([{ emptied: false, emptied_count: null }]);
});
