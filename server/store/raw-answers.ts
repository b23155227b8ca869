// The last answers of each source as they came: few, for a day, encrypted. What is in a blob is the
// connectors' matter; here it is bytes.
import type { SourceId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Sql } from '../platform/postgres.ts';
import type { SealedSecret, SecretCipher, SecretPlace } from '../platform/secret-cipher.ts';

/** So many answers of a source are kept, and for so long. */
export const RAW_ANSWERS = 3;
export const RAW_HOURS = 24;

export type RawAnswer = {
	readonly sourceId: SourceId;
	/** Generation of the poll that heard it. */
	readonly gen: number;
	readonly askedAt: Instant;
	/** What was made of it then: complete, partial, or why it was silent. */
	readonly outcome: string;
	readonly plainBytes: number;
};

const placeOf = ({ sourceId, gen }: Pick<RawAnswer, 'sourceId' | 'gen'>): SecretPlace => ({
	table: 'raw_answers',
	row: String(sourceId),
	name: String(gen)
});

/** Keeps an answer in place of the oldest. `blob`: compressed by the caller. */
export const keepRawAnswer = (
	sql: Sql,
	cipher: SecretCipher,
	{ blob, ...answer }: RawAnswer & { readonly blob: Uint8Array }
): Promise<void> =>
	sql.begin(async (tx) => {
		const { sourceId, gen } = answer;
		const { keyId, wrapped, sealed } = cipher.sealBytes(placeOf(answer), blob);
		await tx`
			insert into raw_answers (source_id, gen, asked_at, outcome, plain_bytes,
				key_id, wrapped_key, sealed)
			values (${sourceId}, ${gen}, to_timestamp(${answer.askedAt}::float8 / 1000),
				${answer.outcome}, ${answer.plainBytes}, ${keyId}, ${Buffer.from(wrapped)},
				${Buffer.from(sealed)})
			on conflict (source_id, gen) do nothing`;
		await tx`
			delete from raw_answers where source_id = ${sourceId} and (
				asked_at < clock_timestamp() - ${RAW_HOURS} * interval '1 hour'
				or gen not in (
					select gen from raw_answers where source_id = ${sourceId}
					order by gen desc limit ${RAW_ANSWERS}))`;
	});

/** Without their content, the newest first. */
export const listRawAnswers = (sql: Queryable, sourceId: SourceId): Promise<RawAnswer[]> =>
	sql<RawAnswer[]>`
		select source_id as "sourceId", gen, asked_at as "askedAt", outcome,
			plain_bytes as "plainBytes"
		from raw_answers where source_id = ${sourceId} order by gen desc`;

/** The blob; null = it is kept no longer. Throws SecretUnreadable. */
export const readRawAnswer = async (
	sql: Queryable,
	cipher: SecretCipher,
	of: Pick<RawAnswer, 'sourceId' | 'gen'>
): Promise<Buffer | null> => {
	const [row] = await sql<SealedSecret[]>`
		select key_id as "keyId", wrapped_key as wrapped, sealed from raw_answers
		where source_id = ${of.sourceId} and gen = ${of.gen}`;
	return row === undefined ? null : cipher.openBytes(placeOf(of), row);
};

/** Those whose day is over; how many. */
export const dropOldRawAnswers = async (sql: Queryable): Promise<number> => {
	const { count } = await sql`
		delete from raw_answers
		where asked_at < clock_timestamp() - ${RAW_HOURS} * interval '1 hour'`;
	return count;
};
