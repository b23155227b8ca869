// Many people want one time at once, and nearly all of them lose. Here the losers of one hub are
// looked at together; Postgres alone decides, at the moment of each answer.
import type { SlotId } from '#domain/ids.ts';
import type { HoldWish, PlacedHold } from '../store/holds.ts';

type Deps = {
	/** The one conditional UPDATE, for one wish. */
	readonly decide: (wish: HoldWish) => Promise<PlacedHold>;
	/** Per wish: true = the database refuses it now as taken; false = it has to be decided. */
	readonly readTaken: (wishes: readonly HoldWish[]) => Promise<readonly boolean[]>;
	/** Monotonic clock, ms. */
	readonly now?: () => number;
};

/** A time found taken is first looked at, instead of fought for, during this time, ms. */
const TAKEN_LATELY_MS = 60_000;
/** Times remembered as lately taken; the oldest goes first. */
const MAX_TAKEN = 10_000;
/** Wishes looked at by one statement. */
const MAX_LOOK = 200;
/** Looks under way at a time: one that hangs on a dead line must not keep everybody waiting. */
const MAX_LOOKS = 2;

type Look = { readonly wish: HoldWish; readonly tell: (taken: Promise<boolean>) => void };

/**
 * Whoever asks in one turn of the event loop is looked at in one statement, and whoever asks while
 * `MAX_LOOKS` of them are under way in the next one (H46): the larger a crowd, the fewer statements
 * for each of it.
 */
const lookTogether = (readTaken: Deps['readTaken']): ((wish: HoldWish) => Promise<boolean>) => {
	const waiting: Look[] = [];
	let underWay = 0;
	const look = (looks: readonly Look[]): void => {
		underWay += 1;
		const answers = readTaken(looks.map(({ wish }) => wish)).finally(() => {
			underWay -= 1;
			lookAtAll();
		});
		for (const [index, { tell }] of looks.entries()) {
			tell(answers.then((taken) => taken[index] === true));
		}
	};
	const lookAtAll = (): void => {
		for (let free = MAX_LOOKS - underWay; free > 0 && waiting.length > 0; free -= 1) {
			look(waiting.splice(0, MAX_LOOK));
		}
	};
	return (wish) =>
		new Promise((tell) => {
			if (waiting.length === 0 && underWay < MAX_LOOKS) setImmediate(lookAtAll);
			waiting.push({ wish, tell });
		});
};

/**
 * H44: whoever asks for a time while this hub is deciding about it waits for that decision; then, as
 * for a time that was lately found taken, all who ask at once are looked at in one statement, and
 * only those are decided one by one whom it does not refuse. What is remembered chooses the way,
 * never the answer (H45).
 */
export const crowdedHolds = ({
	decide,
	readTaken,
	now = () => performance.now()
}: Deps): ((wish: HoldWish) => Promise<PlacedHold>) => {
	const deciding = new Map<SlotId, Promise<unknown>>();
	const takenAt = new Map<SlotId, number>();
	const isTaken = lookTogether(readTaken);

	const noteTaken = (slotId: SlotId): void => {
		takenAt.delete(slotId);
		takenAt.set(slotId, now());
		const [oldest] = takenAt.keys();
		if (takenAt.size > MAX_TAKEN && oldest !== undefined) takenAt.delete(oldest);
	};
	const wasTakenLately = (slotId: SlotId): boolean =>
		now() - (takenAt.get(slotId) ?? -Infinity) < TAKEN_LATELY_MS;

	const decideNow = async (wish: HoldWish): Promise<PlacedHold> => {
		const decision = decide(wish);
		const isFirst = !deciding.has(wish.slotId);
		if (isFirst) deciding.set(wish.slotId, decision);
		try {
			const placed = await decision;
			if (placed.outcome === 'granted' || placed.outcome === 'slot_taken') noteTaken(wish.slotId);
			return placed;
		} finally {
			if (isFirst) deciding.delete(wish.slotId);
		}
	};

	return async (wish) => {
		const underWay = deciding.get(wish.slotId);
		// Its fault is the other's to hear; this wish goes on by itself.
		if (underWay !== undefined) await underWay.catch(() => null);
		// Nothing is awaited before: the next one to ask sees this decision under way.
		else if (!wasTakenLately(wish.slotId)) return await decideNow(wish);
		if (await isTaken(wish)) {
			noteTaken(wish.slotId);
			return { outcome: 'slot_taken' };
		}
		takenAt.delete(wish.slotId);
		return await decideNow(wish);
	};
};
