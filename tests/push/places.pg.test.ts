// Slots of several places, told by a push: what is written, and what the next poll makes of it.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { SourceId } from '#domain/ids.ts';
import { readPushedSlot } from '#domain/push/pushed-slot.ts';
import { must } from '#domain/result.ts';
import { commitPush } from '#server/store/commit-push.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { makeFact, makePolledSource, readWholeLog } from '../store/poll-world.ts';
import { slotResource } from './push-world.ts';

let database: TestDatabase;
let sourceId: SourceId;
beforeAll(async () => {
	database = await createTestDatabase();
});
afterAll(() => database.close());

const group = (over: object = {}) =>
	makeFact(1, { version: '1', capacity: 5, remaining: 5, ...over });
beforeEach(async () => {
	await database.sql`delete from sources`;
	sourceId = await makePolledSource(database.sql, [group()]);
});

const url = 'http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity';

/** The slot as the source tells it, waiting in the inbox. */
const tell = async (version: string, more: object): Promise<void> => {
	const told = must(readPushedSlot(slotResource(group({ version }), more)));
	await database.sql`
		insert into push_inbox (source_id, changes, slots)
		values (${sourceId}, 0, ${JSON.stringify([told])}::text::jsonb)`;
};
const shown = async () => {
	const [row] = await database.sql`select status, capacity, remaining, version from slots`;
	return row;
};

test('[U40] fewer places, none, and several again are on the board at once', async () => {
	const lines = async () => (await readWholeLog(database.sql, 'dermatology:us-mt')).length;
	const before = await lines();
	await tell('2', { extension: [{ url, valueInteger: 2 }] });
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 1, unsure: 0 });
	expect(await shown()).toEqual({ status: 'free', capacity: 2, remaining: 2, version: '2' });
	expect(await lines()).toBe(before + 1);
	await tell('3', { status: 'busy' });
	await commitPush(database.sql, sourceId);
	expect(await shown()).toMatchObject({ status: 'busy', remaining: 0, version: '3' });
	await tell('4', { extension: [{ url, valueString: '3' }] });
	await commitPush(database.sql, sourceId);
	expect(await shown()).toMatchObject({ status: 'free', remaining: 3, version: '4' });
});

test('[U40] no word of places changes nothing while it is free, and asks for a poll', async () => {
	await tell('2', {});
	expect(await commitPush(database.sql, sourceId)).toMatchObject({ applied: 0, unsure: 1 });
	expect(await shown()).toMatchObject({ remaining: 5, version: '1' });
	expect(await database.sql`select changes from push_inbox`).toEqual([{ changes: 1 }]);
});
