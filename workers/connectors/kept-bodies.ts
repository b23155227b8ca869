// What connectors keep of each source's last committed poll, under the poll's token. Bounded over
// all sources: the source unused for longest is forgotten first and then read in full again.

/** Where a poll of a source is kept: those of the near days beside those of the whole window. */
export const shelfOf = (sourceKey: string, isNear: boolean): string =>
	isNear ? `${sourceKey} near` : sourceKey;

export type Kept<T> = {
	/** What was kept under `basis`, if that is still the last committed poll. */
	readonly find: (sourceKey: string, basis: string | null) => T | null;
	/** Holds `make` until the poll of `token` is settled. */
	readonly propose: (sourceKey: string, proposal: Proposal<T>) => void;
	/** Keeps what was proposed under `token`, or drops it. */
	readonly settle: (sourceKey: string, token: string, committed: boolean) => void;
	readonly bytes: () => number;
	readonly clear: () => void;
};

export type Proposal<T> = {
	readonly token: string;
	/** The kept poll this one builds on (and changes); null = stands alone. */
	readonly basis: string | null;
	readonly make: () => T;
};

type Entry<T> = { readonly token: string; readonly value: T; readonly bytes: number };

/** Polls of one source that may wait to be settled. */
const MAX_PROPOSALS = 3;

export const createKept = <T>(maxBytes: number, bytesOf: (value: T) => number): Kept<T> => {
	const committed = new Map<string, Entry<T>>();
	const proposed = new Map<string, Proposal<T>[]>();
	let bytes = 0;

	const forget = (sourceKey: string): void => {
		bytes -= committed.get(sourceKey)?.bytes ?? 0;
		committed.delete(sourceKey);
	};
	const keep = (sourceKey: string, token: string, value: T): void => {
		forget(sourceKey);
		const entry = { token, value, bytes: bytesOf(value) };
		if (entry.bytes > maxBytes) return;
		committed.set(sourceKey, entry);
		bytes += entry.bytes;
		for (const oldest of committed.keys()) {
			if (bytes <= maxBytes) break;
			forget(oldest);
		}
	};
	return {
		find: (sourceKey, basis) => {
			const entry = committed.get(sourceKey);
			if (entry === undefined || basis === null || entry.token !== basis) return null;
			committed.delete(sourceKey);
			committed.set(sourceKey, entry);
			return entry.value;
		},
		propose: (sourceKey, proposal) => {
			const waiting = proposed.get(sourceKey) ?? [];
			proposed.set(sourceKey, [...waiting, proposal].slice(-MAX_PROPOSALS));
		},
		settle: (sourceKey, token, isCommitted) => {
			const waiting = proposed.get(sourceKey) ?? [];
			const proposal = waiting.find((each) => each.token === token);
			const rest = waiting.filter((each) => each.token !== token);
			if (rest.length === 0) proposed.delete(sourceKey);
			else proposed.set(sourceKey, rest);
			if (!isCommitted) return;
			const current = committed.get(sourceKey)?.token ?? null;
			const fits =
				proposal !== undefined && (proposal.basis === null || proposal.basis === current);
			// A poll was committed of which nothing is kept: what we have is out of date.
			if (fits) keep(sourceKey, token, proposal.make());
			else forget(sourceKey);
		},
		bytes: () => bytes,
		clear: () => {
			committed.clear();
			proposed.clear();
			bytes = 0;
		}
	};
};
