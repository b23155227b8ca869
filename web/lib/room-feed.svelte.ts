// The live board of one search. Begins with what the server drew, joins both rooms from exactly
// there, applies only what follows on, and asks again whenever it cannot be sure.
import { matchesDayPart, matchesSchedule } from '#domain/board.ts';
import type { Board, ScheduleCard } from '#domain/board.ts';
import type { AlertNotice } from '#domain/alert.ts';
import type { ScheduleId, SlotId } from '#domain/ids.ts';
import type { JoinReply, RoomBatch } from '#domain/protocol.ts';
import type { RoomName } from '#domain/room.ts';
import { groupByDay, type DayGroup, type Ranks } from './day-groups.ts';
import { applyChanges, applySnapshot, clearGone, judgeBatch } from './feed-model.ts';
import { letIn, makeModel, roomsBehind } from './feed-model.ts';
import type { Applied, FeedModel, ShownSlot } from './feed-model.ts';
import { joinAgainInMs, mayJoinAgain } from './join-again.ts';
import { ACK_TIMEOUT_MS, openPatientLink, type Link, type LinkState } from './link.ts';
import type { PatientSocket } from './link.ts';
import { toCard, toPageBoard, type Card, type PageBoard } from './page-board.ts';
import { Stillness } from './stillness.ts';
import { askAgainInMs, Strangers } from './strangers.ts';

/** How often the list looks whether it may move, ms. */
const SETTLE_MS = 500;
/** A head beyond ours may be a batch still on its way: look again after this, ms. */
const BEHIND_PATIENCE_MS = 1_000;
/** Screen readers hear a summary at most this often, ms. */
const SAY_EVERY_MS = 5_000;

export type FeedWatch = {
	/** Something happened that may have changed counts and ages beyond the list itself. */
	readonly onNews: () => void;
	/** The line is up, for the first time or again. */
	readonly onUp: () => void;
	readonly onNotice: (notice: AlertNotice) => void;
	readonly onBooking: () => void;
};

export type Summary = { readonly opened: number; readonly went: number };

export class RoomFeed {
	days: readonly DayGroup[] = $state.raw([]);
	waitingCount = $state(0);
	link: LinkState | 'off' = $state('off');
	/** When something was last heard, on the monotonic clock. */
	heardAt = $state(0);
	/** What a screen reader is told next; set at most every SAY_EVERY_MS. */
	summary: Summary | null = $state.raw(null);

	readonly stillness = new Stillness();
	#model: FeedModel;
	#board: PageBoard;
	#cards = new Map<ScheduleId, Card>();
	/** Providers that do not fit the search: not asked about twice. */
	#unwanted = new Set<ScheduleId>();
	#strangers = new Strangers();
	#asking = false;
	#askedInVain = 0;
	#askTimer: ReturnType<typeof setTimeout> | undefined;
	#ranks: Ranks = new Map();
	#live: Link<PatientSocket> | null = null;
	#joining = new Set<RoomName>();
	#unsaid: { opened: number; went: number } = { opened: 0, went: 0 };
	#saidAt = 0;

	constructor(board: PageBoard) {
		this.#board = board;
		this.#model = makeModel(board);
		this.#meet(board.cards);
		this.#draw();
	}

	/** The server drew the board again: the difference comes in like any other change. */
	reseed(board: PageBoard): void {
		const isSameSearch = JSON.stringify(board.query) === JSON.stringify(this.#board.query);
		this.#board = board;
		this.#meet(board.cards);
		this.#strangers.clear();
		if (isSameSearch) this.#note(applySnapshot(this.#model, board, performance.now()));
		else this.#startOver(board);
		this.#draw();
	}

	/** Another search: other rooms. */
	#startOver(board: PageBoard): void {
		const rooms = [...this.#model.heads.keys()].filter((room) => !(room in board.heads));
		for (const room of rooms) this.#live?.socket.emit('room:leave', { room }, () => {});
		this.#model = makeModel(board);
		this.#ranks.clear();
		this.#unwanted.clear();
		if (this.#live?.socket.connected === true) this.#joinAll();
	}

	/** Lets the waiting times in because someone asked for them. */
	showWaiting(): void {
		letIn(this.#model);
		this.#draw();
	}

	/** A time this page itself holds or gave back; the feed will say the same in a moment. */
	mark(slotId: SlotId, state: 1 | 2): void {
		this.#note(applyChanges(this.#model, [[slotId, state]], this.#rules()));
		this.#draw();
	}

	/** Call once in an effect; the returned function ends the live link. */
	start(watch: FeedWatch): () => void {
		const stop = new AbortController();
		const settling = setInterval(() => this.#settle(), SETTLE_MS);
		void this.#open(watch, stop.signal);
		return () => {
			stop.abort();
			clearInterval(settling);
			clearTimeout(this.#askTimer);
			this.link = 'off';
			this.#live?.close();
			this.#live = null;
		};
	}

	async #open(watch: FeedWatch, stop: AbortSignal): Promise<void> {
		try {
			const live = await openPatientLink({
				onState: (state) => {
					this.link = state;
					if (state === 'live') this.heardAt = performance.now();
				},
				onUp: () => {
					this.#joinAll();
					this.#askAtOnce();
					watch.onUp();
				}
			});
			if (stop.aborted) {
				live.close();
				return;
			}
			this.#live = live;
			this.#listen(live.socket, watch);
		} catch {
			// The live layer did not load: the page says so and works on as forms.
			this.link = 'quiet';
		}
	}

	#listen(socket: PatientSocket, watch: FeedWatch): void {
		socket.on('slots:changed', (batch) => {
			if (this.#take(batch)) watch.onNews();
		});
		socket.on('rooms:heads', (epoch, heads) => {
			if (roomsBehind(this.#model, epoch, heads).length === 0) return;
			setTimeout(() => {
				for (const room of roomsBehind(this.#model, epoch, heads)) this.#join(room);
			}, BEHIND_PATIENCE_MS);
		});
		socket.on('alert:raised', watch.onNotice);
		socket.on('booking:changed', watch.onBooking);
		socket.on('hold:ended', watch.onNews);
	}

	#joinAll(): void {
		this.#joining.clear();
		for (const room of this.#model.heads.keys()) this.#join(room);
	}

	/** Asks for all after our position: nothing, a delta, or a whole new picture. */
	#join(room: RoomName): void {
		if (this.#live === null || this.#joining.has(room)) return;
		this.#joining.add(room);
		const have = { epoch: this.#model.epoch, seq: this.#model.heads.get(room) ?? 0 };
		this.#live.socket
			.timeout(ACK_TIMEOUT_MS)
			.emit('room:join', { room, have, query: this.#board.query }, (error, reply) => {
				this.#joining.delete(room);
				if (error === null && reply.ok) this.#joined(reply);
				else if (mayJoinAgain(error === null && !reply.ok ? reply.reason : null)) {
					setTimeout(() => this.#joinAgain(room), joinAgainInMs(Math.random()));
				}
			});
	}

	#joinAgain(room: RoomName): void {
		if (this.#live?.socket.connected === true && this.#model.heads.has(room)) this.#join(room);
	}

	#joined({ value }: Extract<JoinReply, { ok: true }>): void {
		if (value.kind === 'delta') this.#take(value.batch);
		if (value.kind === 'snapshot') this.#takeSnapshot(value.snapshot);
	}

	#takeSnapshot(board: Board): void {
		this.reseed({ ...toPageBoard(board), query: this.#board.query });
	}

	/** True when the batch changed something. */
	#take(batch: RoomBatch): boolean {
		const verdict = judgeBatch(this.#model, batch);
		if (verdict === 'gap') this.#join(batch.room);
		if (verdict !== 'apply') return false;
		const applied = applyChanges(this.#model, batch.changes, this.#rules());
		this.#model.heads.set(batch.room, batch.to);
		this.#strangers.follow(batch.changes);
		this.#strangers.add(applied.strangers);
		if (this.#askedInVain === 0) this.#askAfter();
		this.#note(applied);
		this.#draw();
		return true;
	}

	#rules() {
		const { query } = this.#board;
		return {
			now: performance.now(),
			wanted: (scheduleId: ScheduleId, startsAt: Parameters<typeof matchesDayPart>[1]) => {
				if (this.#unwanted.has(scheduleId) || !matchesDayPart(query, startsAt)) return false;
				return this.#cards.has(scheduleId) ? true : ('unknown' as const);
			}
		};
	}

	/** The line is up: whatever an earlier one did not answer is asked now. */
	#askAtOnce(): void {
		clearTimeout(this.#askTimer);
		this.#askedInVain = 0;
		this.#askAfter();
	}

	/** Opened times of providers we have not met: who are they, and do they fit? */
	#askAfter(): void {
		const ids = this.#strangers.scheduleIds();
		if (ids.length === 0 || this.#asking || this.#live === null) return;
		this.#asking = true;
		const { query } = this.#board;
		this.#live.socket
			.timeout(ACK_TIMEOUT_MS)
			.emit('schedules:read', { ids, query }, (error, reply) => {
				this.#asking = false;
				if (error === null && reply.ok) this.#told(ids, reply.value);
				else this.#askLater();
			});
	}

	#told(ids: readonly ScheduleId[], found: readonly ScheduleCard[]): void {
		this.#askedInVain = 0;
		this.#judge(ids, found);
		this.#note(applyChanges(this.#model, this.#strangers.take(ids), this.#rules()));
		this.#draw();
		this.#askAfter();
	}

	#askLater(): void {
		const waitMs = askAgainInMs(this.#askedInVain, Math.random());
		this.#askedInVain = waitMs === null ? 0 : this.#askedInVain + 1;
		if (waitMs !== null) this.#askTimer = setTimeout(() => this.#askAfter(), waitMs);
	}

	#judge(asked: readonly ScheduleId[], found: readonly ScheduleCard[]): void {
		const { query } = this.#board;
		const fitting = found.filter(
			(card) =>
				matchesSchedule(query, card) &&
				!(query.planOnly && card.insurance === 'no') &&
				(query.scheduleId === null || query.scheduleId === card.id)
		);
		this.#meet(fitting.map(toCard));
		for (const id of asked) if (!this.#cards.has(id)) this.#unwanted.add(id);
	}

	#meet(cards: readonly Card[]): void {
		for (const card of cards) this.#cards.set(card.id, card);
	}

	#note({ opened, went }: Applied): void {
		this.#unsaid.opened += opened;
		this.#unsaid.went += went;
	}

	/** Twice a second: let in and clear away while nobody is about to tap. */
	#settle(): void {
		const now = performance.now();
		if (this.stillness.isAtRest()) {
			const isCleared = clearGone(this.#model, now);
			if (letIn(this.#model) || isCleared) this.#draw();
		}
		const { opened, went } = this.#unsaid;
		if (opened + went === 0 || now - this.#saidAt < SAY_EVERY_MS) return;
		this.summary = { opened, went };
		this.#unsaid = { opened: 0, went: 0 };
		this.#saidAt = now;
	}

	#draw(): void {
		const { zone } = this.#board.query;
		this.days = groupByDay(this.#shown(), this.#cards, { zone, ranks: this.#ranks });
		this.waitingCount = this.#model.waiting.size;
	}

	#shown(): Iterable<ShownSlot> {
		return this.#model.shown.values();
	}
}
