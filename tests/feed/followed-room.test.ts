import { describe, expect, test } from 'vitest';
import type { RoomEntry } from '#domain/protocol.ts';
import { createFollowedRoom } from '#server/feed/followed-room.ts';

const entry = (seq: number, changes = 1): RoomEntry => ({
	room: 'a:us',
	seq,
	changes: Array.from({ length: changes }, () => [seq as never, 3])
});
const seqs = (entries: readonly RoomEntry[] | null) => entries?.map(({ seq }) => seq) ?? null;

const begun = (head: number) => {
	const room = createFollowedRoom('a:us');
	room.begin(head);
	return room;
};

describe('a followed room', () => {
	test('[F1] applies only what follows its head', () => {
		const room = begun(4);
		expect(seqs(room.advance([entry(3), entry(5), entry(5), entry(7), entry(6)]))).toEqual([5, 6]);
		expect(room.head()).toBe(6);
		expect(room.advance([entry(8)])).toEqual([]);
	});

	test('[F1] applies nothing before its head was read', () => {
		const room = createFollowedRoom('a:us');
		expect(room.advance([entry(1)])).toEqual([]);
		expect([room.head(), room.since(0)]).toEqual([null, null]);
	});

	test('[F3] keeps back what it hears before its head was read, in order and bounded', () => {
		const room = createFollowedRoom('a:us');
		for (let seq = 300; seq >= 1; seq -= 1) room.wait(entry(seq));
		const waited = seqs(room.takeWaiting()) ?? [];
		expect(waited).toHaveLength(256);
		expect(waited).toEqual(waited.toSorted((a, b) => a - b));
		expect(room.takeWaiting()).toEqual([]);
	});

	test('[F11] answers short absences from memory', () => {
		const room = begun(10);
		room.advance([entry(11), entry(12), entry(13)]);
		expect(seqs(room.since(10))).toEqual([11, 12, 13]);
		expect(seqs(room.since(12))).toEqual([13]);
		expect(room.since(13)).toEqual([]);
		expect(room.since(9)).toBeNull();
		expect(room.since(14)).toBeNull();
		room.begin(20);
		expect(room.since(13)).toBeNull();
		expect(room.since(20)).toEqual([]);
	});

	test('[F11] keeps at most 256 entries and 5,000 changes', () => {
		const many = begun(0);
		for (let seq = 1; seq <= 300; seq += 1) many.advance([entry(seq)]);
		expect(many.since(43)).toBeNull();
		expect(many.since(44)).toHaveLength(256);
		const large = begun(0);
		for (let seq = 1; seq <= 20; seq += 1) large.advance([entry(seq, 500)]);
		expect(large.since(9)).toBeNull();
		expect(large.since(10)).toHaveLength(10);
	});
});
