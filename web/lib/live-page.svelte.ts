// The live layer of one page of open times: feed, clock, notices and the wish to look again.
import { refreshAll } from '$app/navigation';
import type { AlertNotice } from '#domain/alert.ts';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import { freshnessOf } from '#domain/freshness.ts';
import type { Instant } from '#domain/time.ts';
import { whenIdle } from './link.ts';
import { addNotice, missedNotices, noticeKey, readNotices } from './notice-list.ts';
import { PageClock } from './page-clock.svelte.ts';
import type { Card } from './page-board.ts';
import { RoomFeed } from './room-feed.svelte.ts';
import type { BoardData, HeldTime } from './server/board-load.ts';
import { showNotice } from './show-notice.ts';
import { askAgainInMs } from './strangers.ts';

/** Counts, ages and "filling up" are read anew at most this often, ms. */
const REFRESH_EVERY_MS = 60_000;
const LOOK_MS = 5_000;
/** More than the hub ever lists at once. */
const MAX_TOLD = 100;

export class LivePage {
	readonly feed: RoomFeed;
	readonly clock: PageClock;
	notices: readonly AlertNotice[] = $state.raw([]);
	cards: ReadonlyMap<ScheduleId, Card> = $state.raw(new Map());
	#held: readonly HeldTime[] = $state.raw([]);
	#heldAt = $state(0);
	#board: BoardData['board'];
	/** Keys of the notices told on this page, closed ones too. */
	#told: readonly string[] = [];
	/** Notices raised before this page was drawn are news no more. */
	#drawnAt: Instant;
	#catchUpTimer: ReturnType<typeof setTimeout> | undefined;
	#hasNews = false;
	#refreshedAt = 0;

	constructor(data: BoardData) {
		this.feed = new RoomFeed(data.board);
		this.clock = new PageClock(data.board.asOf);
		this.#board = data.board;
		this.#drawnAt = data.board.asOf;
		this.#take(data);
		this.#heldAt = this.clock.elapsedMs;
	}

	/** New data of the page; the same data again changes nothing. */
	update(data: BoardData): void {
		if (data.board === this.#board) return;
		this.#board = data.board;
		this.clock.set(data.board.asOf);
		this.feed.reseed(data.board);
		this.#take(data);
		this.#heldAt = this.clock.elapsedMs;
	}

	#take(data: BoardData): void {
		this.#held = data.held;
		this.cards = new Map(data.board.cards.map((card) => [card.id, card]));
	}

	/** Holds with what is left of them now. */
	get held(): readonly (HeldTime & { leftMs: number })[] {
		const passed = this.clock.elapsedMs - this.#heldAt;
		return this.#held
			.map((hold) => ({ ...hold, leftMs: hold.ttlMs - passed }))
			.filter(({ leftMs }) => leftMs > 0);
	}

	mine(slotId: SlotId): number | null {
		return this.held.find((hold) => hold.slotId === slotId)?.leftMs ?? null;
	}

	/** Since the hub was last heard, ms. */
	get silentMs(): number {
		return Math.max(0, this.clock.elapsedMs - this.feed.heardAt);
	}

	/** Call in an effect; the returned function stops everything. */
	start(isLive: boolean): () => void {
		this.#refreshedAt = performance.now();
		const stopClock = this.clock.start();
		let stopFeed: (() => void) | undefined;
		const cancel = isLive
			? whenIdle(() => {
					stopFeed = this.feed.start({
						onNews: () => {
							this.#hasNews = true;
						},
						onUp: () => this.#catchUpLater(0),
						onNotice: (notice) => this.#tell(notice),
						onBooking: () => void refreshAll()
					});
				})
			: undefined;
		const looking = setInterval(() => this.#look(), LOOK_MS);
		return () => {
			stopClock();
			cancel?.();
			stopFeed?.();
			clearTimeout(this.#catchUpTimer);
			this.#catchUpTimer = undefined;
			clearInterval(looking);
		};
	}

	/** U35: notices come once over the line; those of a time without one are read. */
	#catchUpLater(attempt: number): void {
		clearTimeout(this.#catchUpTimer);
		const waitMs = askAgainInMs(attempt, Math.random());
		if (waitMs === null) return;
		const turn = setTimeout(() => void this.#catchUp(attempt, turn), waitMs);
		this.#catchUpTimer = turn;
	}

	async #catchUp(attempt: number, turn: unknown): Promise<void> {
		try {
			const listed = await readNotices();
			// The page was left, or the line came up once more.
			if (turn !== this.#catchUpTimer) return;
			for (const notice of missedNotices(this.#told, listed, this.#drawnAt)) this.#tell(notice);
		} catch {
			if (turn === this.#catchUpTimer) this.#catchUpLater(attempt + 1);
		}
	}

	#tell(notice: AlertNotice): void {
		const key = noticeKey(notice);
		if (this.#told.includes(key)) return;
		this.#told = [...this.#told, key].slice(-MAX_TOLD);
		const notices = addNotice(this.notices, notice);
		if (notices === null) return;
		this.notices = notices;
		this.#hasNews = true;
		showNotice(notice);
	}

	close(notice: AlertNotice): void {
		this.notices = this.notices.filter((one) => one !== notice);
	}

	#look(): void {
		const now = performance.now();
		if (document.visibilityState !== 'visible' || this.feed.link !== 'live') return;
		if (now - this.#refreshedAt < REFRESH_EVERY_MS) return;
		if (!this.#hasNews && !this.#isAgeing()) return;
		this.#refreshedAt = now;
		this.#hasNews = false;
		void refreshAll();
	}

	/** A calendar that was asked again in the meantime sends nothing when nothing changed. */
	#isAgeing(): boolean {
		const now = this.clock.read();
		return [...this.cards.values()].some(
			({ checkedAt, freshForMs }) =>
				checkedAt !== null && freshnessOf(now - checkedAt, freshForMs) !== 'fresh'
		);
	}
}
