// What travels between processes on the feed's channel: written by publishers, believed by nobody
// before it was checked here.
import { z } from 'zod';
import { MAX_CHANGES_PER_ENTRY } from '#domain/protocol.ts';
import type { RoomEntry } from '#domain/protocol.ts';

export const DEFAULT_PREFIX = 'slotcast';
export const feedChannel = (prefix: string): string => `${prefix}:feed`;
export const deviceChannel = (prefix: string): string => `${prefix}:device`;

/** Longer messages are not looked at. */
export const MAX_MESSAGE_CHARS = 1_048_576;
/** A publisher begins a new message after so many characters. */
export const TARGET_MESSAGE_CHARS = 65_536;
const MAX_ENTRIES = 2_000;

export type StampedMessage = {
	readonly epoch: string;
	/** When it was published, ms. Only for showing the feed's lag: clocks differ. */
	readonly at: number;
	/** L9: how long its oldest entry had waited at the publisher by then, ms. An interval: no clock matters. */
	readonly waited: number;
	readonly entries: readonly RoomEntry[];
};

/** No publisher keeps an entry as long as this, ms. */
const MAX_WAITED_MS = 1_000;

const number = z.int().min(0);
const wireSlot = z.tuple([number, number, number, number, z.int().min(0).max(3), number]);
const wireState = z.tuple([number, z.int().min(0).max(3)]);
const clinicChange = z.looseObject({ kind: z.enum(['booking', 'hold', 'waiting']) });

const FeedMessage = z.object({
	epoch: z.string().max(60),
	at: z.number(),
	waited: z.number().min(0).max(MAX_WAITED_MS).default(0),
	entries: z
		.array(
			z.object({
				room: z.string().max(80),
				seq: z.int().positive(),
				changes: z.array(z.union([wireState, wireSlot, clinicChange])).max(MAX_CHANGES_PER_ENTRY)
			})
		)
		.max(MAX_ENTRIES)
});

const parseJson = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
};

/** null = too long, not JSON, or not a message. */
export const parseFeedMessage = (text: string): StampedMessage | null => {
	if (text.length > MAX_MESSAGE_CHARS) return null;
	const parsed = FeedMessage.safeParse(parseJson(text));
	// The schema has just shown it to be one; only the brands of the ids are taken on trust.
	return parsed.success ? (parsed.data as unknown as StampedMessage) : null;
};

/** A text to publish and how many entries it tells. */
export type WrittenMessage = { readonly text: string; readonly entryCount: number };

/** As few messages as fit the target size. */
export const writeCountedMessages = (
	epoch: string,
	{ at, waited }: Pick<StampedMessage, 'at' | 'waited'>,
	entries: readonly RoomEntry<unknown>[]
): WrittenMessage[] => {
	const messages: WrittenMessage[] = [];
	let parts: string[] = [];
	let size = 0;
	const flush = () => {
		if (parts.length === 0) return;
		const text = `{"epoch":${JSON.stringify(epoch)},"at":${at},"waited":${waited},"entries":[${parts.join(',')}]}`;
		messages.push({ text, entryCount: parts.length });
		parts = [];
		size = 0;
	};
	for (const { room, seq, changes } of entries) {
		const part = JSON.stringify({ room, seq, changes });
		if (size > 0 && size + part.length > TARGET_MESSAGE_CHARS) flush();
		parts.push(part);
		size += part.length;
	}
	flush();
	return messages;
};

export const writeFeedMessages = (
	epoch: string,
	at: number,
	entries: readonly RoomEntry<unknown>[]
): string[] => writeCountedMessages(epoch, { at, waited: 0 }, entries).map(({ text }) => text);
