// The machine's clock: the only place outside tests that asks for the time of day.
import { toInstant, type Clock } from '#domain/time.ts';

export const systemClock: Clock = { now: () => toInstant(Date.now()) };
