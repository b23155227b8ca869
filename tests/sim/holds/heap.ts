// The scheduler of virtual time: who acts next. Ties are broken by chance, so that whatever may
// happen in the same millisecond happens in either order.
export type Agenda = {
	/** Actor `who` acts at `at` (ms). */
	readonly add: (at: number, who: number) => void;
	/** Takes the next one out; its time is then in `at`. -1 = nobody. */
	readonly next: () => number;
	at: number;
};

type Item = { at: number; tie: number; who: number };

const isBefore = (a: Item, b: Item): boolean => a.at < b.at || (a.at === b.at && a.tie < b.tie);

export const createAgenda = (chance: () => number): Agenda => {
	const items: Item[] = [];
	const add = (at: number, who: number): void => {
		const item = { at, tie: chance(), who };
		let place = items.length;
		items.push(item);
		while (place > 0) {
			const above = (place - 1) >> 1;
			const parent = items[above];
			if (parent === undefined || !isBefore(item, parent)) break;
			items[place] = parent;
			place = above;
		}
		items[place] = item;
	};
	const sink = (item: Item): void => {
		let place = 0;
		for (;;) {
			let below = 2 * place + 1;
			let child = items[below];
			if (child === undefined) break;
			const right = items[below + 1];
			if (right !== undefined && isBefore(right, child)) {
				below += 1;
				child = right;
			}
			if (!isBefore(child, item)) break;
			items[place] = child;
			place = below;
		}
		items[place] = item;
	};
	const agenda: Agenda = {
		add,
		next: () => {
			const first = items[0];
			const last = items.pop();
			if (first === undefined || last === undefined) return -1;
			if (items.length > 0) sink(last);
			agenda.at = first.at;
			return first.who;
		},
		at: 0
	};
	return agenda;
};
