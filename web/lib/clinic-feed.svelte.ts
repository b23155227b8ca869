// The console's live layer: the feed says that something changed, the page reads what. Nothing is
// lost when the line drops: coming back tells how much was missed.
import type { ClinicSnapshot } from '#domain/booking.ts';
import type { ClinicChange, JoinReply, RoomBatch } from '#domain/protocol.ts';
import { createArrivals, type Arrivals } from './arrivals.ts';
import { judgeBatch } from './feed-model.ts';
import { joinAgainInMs, mayJoinAgain } from './join-again.ts';
import { ACK_TIMEOUT_MS, openProviderLink, type Link, type LinkState } from './link.ts';
import type { ProviderSocket } from './link.ts';
import { lookAgain } from './look-again.ts';

/** Many changes at once are one look, ms. */
const GATHER_MS = 200;
/** What could not be read is tried again after this, ms. */
const READ_AGAIN_MS = 5_000;
const BEHIND_PATIENCE_MS = 1_000;

type Place = Pick<ClinicSnapshot, 'epoch' | 'seq' | 'bookings'>;

export class ClinicFeed {
	link: LinkState | 'off' = $state('off');
	heardAt = $state(0);
	/** Changes told after the line was down; 0 = nothing to catch up with. */
	missed = $state(0);
	#epoch: string;
	#heads: Map<string, number>;
	#arrivals: Arrivals;
	#room: string;
	#live: Link<ProviderSocket> | null = null;
	#isJoining = false;
	#gathering: ReturnType<typeof setTimeout> | undefined;
	#wasUp = false;
	#isOver = false;

	constructor(room: string, place: Place) {
		this.#room = room;
		this.#epoch = place.epoch;
		this.#heads = new Map([[room, place.seq]]);
		this.#arrivals = createArrivals(place);
	}

	/** `onBookings` hears how many new bookings a batch told of. */
	start(onBookings: (count: number) => void): () => void {
		const stop = new AbortController();
		void this.#open(onBookings, stop.signal);
		return () => {
			stop.abort();
			this.#isOver = true;
			clearTimeout(this.#gathering);
			this.#live?.close();
		};
	}

	async #open(onBookings: (count: number) => void, stop: AbortSignal): Promise<void> {
		try {
			const live = await openProviderLink({
				onState: (state) => {
					this.link = state;
					if (state === 'live') this.heardAt = performance.now();
				},
				onUp: () => this.#join(onBookings)
			});
			if (stop.aborted) {
				live.close();
				return;
			}
			this.#live = live;
			this.#listen(live.socket, onBookings);
		} catch {
			this.link = 'quiet';
		}
	}

	#listen(socket: ProviderSocket, onBookings: (count: number) => void): void {
		socket.on('clinic:changed', (batch) => this.#take(batch, onBookings));
		socket.on('rooms:heads', (epoch, heads) => {
			const seq = heads.find(([room]) => room === this.#room)?.[1] ?? 0;
			const isBehind = (): boolean => epoch !== this.#epoch || seq > this.#seq;
			if (!isBehind()) return;
			setTimeout(() => {
				if (isBehind()) this.#join(onBookings);
			}, BEHIND_PATIENCE_MS);
		});
		if (socket.connected) this.#join(onBookings);
	}

	get #seq(): number {
		return this.#heads.get(this.#room) ?? 0;
	}

	#join(onBookings: (count: number) => void): void {
		if (this.#live === null || this.#isJoining) return;
		this.#isJoining = true;
		const have = { epoch: this.#epoch, seq: this.#seq };
		this.#live.socket.timeout(ACK_TIMEOUT_MS).emit('clinic:join', { have }, (error, reply) => {
			this.#isJoining = false;
			if (error === null && reply.ok) {
				this.#joined(reply, onBookings);
				this.#wasUp = true;
			} else if (mayJoinAgain(error === null && !reply.ok ? reply.reason : null)) {
				setTimeout(() => {
					if (this.#live?.socket.connected === true) this.#join(onBookings);
				}, joinAgainInMs(Math.random()));
			}
		});
	}

	#joined(
		{ value }: Extract<JoinReply<ClinicChange, ClinicSnapshot>, { ok: true }>,
		onBookings: (count: number) => void
	): void {
		if (value.kind === 'delta') {
			if (this.#wasUp) this.missed = value.batch.changes.length;
			this.#take(value.batch, onBookings);
		}
		if (value.kind === 'snapshot') {
			this.#epoch = value.snapshot.epoch;
			this.#heads.set(this.#room, value.snapshot.seq);
			this.#look();
		}
	}

	#take(batch: RoomBatch<ClinicChange>, onBookings: (count: number) => void): void {
		const verdict = judgeBatch({ epoch: this.#epoch, heads: this.#heads }, batch);
		if (verdict === 'gap') this.#join(onBookings);
		if (verdict !== 'apply') return;
		this.#heads.set(batch.room, batch.to);
		const arrived = this.#arrivals.count(batch.changes);
		if (arrived > 0) onBookings(arrived);
		this.#look();
	}

	#look(): void {
		this.#lookIn(GATHER_MS);
	}

	#lookIn(ms: number): void {
		clearTimeout(this.#gathering);
		this.#gathering = setTimeout(() => void this.#read(), ms);
	}

	async #read(): Promise<void> {
		const isRead = await lookAgain();
		if (isRead) this.missed = 0;
		else if (!this.#isOver) this.#lookIn(READ_AGAIN_MS);
	}
}
