// Keeps what full reads of sources heard, for a day, so that a reader that was mended can read it
// again. It never fails a poll, and polls that read only a difference cost nothing.
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { toInstant } from '#domain/time.ts';
import { HOUR_MS } from '#domain/time.ts';
import { aboutSource, logFault, type Log } from '#server/platform/log.ts';
import type { Sql } from '#server/platform/postgres.ts';
import type { SecretCipher } from '#server/platform/secret-cipher.ts';
import {
	keepRawAnswer,
	listRawAnswers,
	RAW_HOURS,
	readRawAnswer,
	type RawAnswer
} from '#server/store/raw-answers.ts';
import type { PollClaim } from '#server/store/sources.ts';
import {
	packExchanges,
	unpackExchanges,
	withEarlier,
	type RawExchange,
	type Recorder
} from '../connectors/tape.ts';
import type { Asked } from './ask-source.ts';

/** Both run beside the event loop. */
const compress = promisify(gzip);
const decompress = promisify(gunzip);

export type RawDeps = {
	readonly sql: Sql;
	readonly cipher: SecretCipher;
};

/** What an answer was made of; null = it is kept no longer. Throws SecretUnreadable. */
export const readRawExchanges = async (
	{ sql, cipher }: RawDeps,
	of: Pick<RawAnswer, 'sourceId' | 'gen'>
): Promise<RawExchange[] | null> => {
	const blob = await readRawAnswer(sql, cipher, of);
	return blob === null ? null : unpackExchanges(await decompress(blob));
};

/** The poll that heard it. */
type KeptFor = Pick<PollClaim, 'sourceId' | 'gen' | 'pollStartedAt'> & {
	readonly source: Pick<PollClaim['source'], 'key'>;
};

export type RawKeeper = {
	/** Runs `ask`, a full read, with the tape running. */
	readonly listen: (
		ask: () => Promise<Asked>
	) => Promise<{ readonly asked: Asked; readonly heard: readonly RawExchange[] }>;
	/** Call it when the poll is over. Never rejects. */
	readonly keep: (claim: KeptFor, asked: Asked, heard: readonly RawExchange[]) => Promise<void>;
};

/** `mostBytes`: largest blob that is kept, compressed; 0 = none is. */
export const createRawKeeper = (
	deps: RawDeps & { readonly recorder: Recorder; readonly log: Log; readonly mostBytes: number }
): RawKeeper => {
	const { sql, cipher, recorder, log, mostBytes } = deps;
	const earlierOf = async ({ sourceId }: Pick<PollClaim, 'sourceId'>): Promise<RawExchange[]> => {
		const [last] = await listRawAnswers(sql, sourceId);
		// One that does not open is as good as none.
		return last === undefined ? [] : ((await readRawExchanges(deps, last).catch(() => null)) ?? []);
	};
	const write = async (
		{ sourceId, source, gen, pollStartedAt }: KeptFor,
		{ answer }: Asked,
		heard: readonly RawExchange[]
	): Promise<void> => {
		const startedAt = performance.now();
		const since = toInstant(pollStartedAt - RAW_HOURS * HOUR_MS);
		const packed = packExchanges(withEarlier(heard, await earlierOf({ sourceId }), since));
		const blob = await compress(packed);
		const isKept = blob.byteLength <= mostBytes;
		if (isKept) {
			const outcome = answer.state === 'silent' ? answer.reason : answer.state;
			const plainBytes = packed.byteLength;
			await keepRawAnswer(sql, cipher, {
				sourceId,
				gen,
				askedAt: pollStartedAt,
				outcome,
				plainBytes,
				blob
			});
		}
		const ms = Math.round(performance.now() - startedAt);
		log.debug('raw_kept', {
			...aboutSource(sourceId, source.key),
			isKept,
			bytes: blob.byteLength,
			plain: packed.byteLength,
			ms
		});
	};
	return {
		listen: async (ask) => {
			if (mostBytes === 0) return { asked: await ask(), heard: [] };
			const { value: asked, exchanges: heard } = await recorder.record(ask);
			return { asked, heard };
		},
		keep: async (claim, asked, heard) => {
			if (heard.length === 0) return;
			await write(claim, asked, heard).catch((error: unknown) => {
				logFault(log, 'raw_keep_failed', error, aboutSource(claim.sourceId, claim.source.key));
			});
		}
	};
};
