// What becomes of a join that did not work. A page that is in no room hears beacons all the same, so
// nothing else would ever tell it that it is deaf.
import type { SocketRefusal } from '#domain/protocol.ts';

const hopeless: readonly SocketRefusal[] = ['bad_request', 'unknown_room', 'not_allowed'];

/** `refused` null = no answer came in time. */
export const mayJoinAgain = (refused: SocketRefusal | null): boolean =>
	refused === null || !hopeless.includes(refused);

const PAUSE_MS = 2_000;

/** U32: 2 to 4 s, so that a herd does not come back at once. `chance` in [0, 1). */
export const joinAgainInMs = (chance: number): number => PAUSE_MS * (1 + chance);
