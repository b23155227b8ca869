// Fingerprints: by what any worker recognises that a source still says what the store shows. One of
// each reach at most, written and taken away in the transaction of the poll that makes them true or not.
import type { Fingerprint, Reach, SpokenAnswer } from '#domain/answer.ts';
import type { SourceId } from '#domain/ids.ts';
import { toInstant, type Instant } from '#domain/time.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';

export type KeptFingerprint = {
	/** Names the poll whose answer it is of. */
	readonly token: string;
	/** When all of that answer was last read in full. */
	readonly fullAt: Instant;
	readonly made: Fingerprint;
};

export type Fingerprints = Readonly<Record<Reach, KeptFingerprint | null>>;

export const noFingerprints: Fingerprints = { near: null, whole: null };

/** Longer than this as JSON and it is not kept: such a source is read again instead. */
const MAX_LENGTH = 65_536;

type Json = { readonly token: string; readonly full_at: number; readonly made: Fingerprint };
export type FingerprintsJson = Readonly<Partial<Record<Reach, Json>>> | null;

/** The column `fingerprints` of a statement about `sources`, for `fingerprintsOf`. */
export const selectFingerprints = (sql: Queryable) => sql`(
	select jsonb_object_agg(f.reach, jsonb_build_object('token', f.token, 'made', f.made,
		'full_at', round(extract(epoch from f.full_at) * 1000)))
	from fingerprints f where f.source_id = sources.id
) as fingerprints`;

const kept = (json: Json | undefined): KeptFingerprint | null =>
	json === undefined
		? null
		: { token: json.token, fullAt: toInstant(json.full_at), made: json.made };

export const fingerprintsOf = (json: FingerprintsJson): Fingerprints => ({
	near: kept(json?.near),
	whole: kept(json?.whole)
});

/** What a poll leaves behind for the next ones. */
export type Left = {
	readonly before: Fingerprints;
	readonly reach: Reach;
	readonly answer: SpokenAnswer;
	/** The poll's token, and when what it knows was read in full; null = nothing may be kept of it. */
	readonly poll: { readonly token: string; readonly fullAt: Instant } | null;
	/** The store now shows all that the answer says. */
	readonly isMirrored: boolean;
	/** This poll wrote something: what was told of the other reach is no longer all that is shown. */
	readonly isNews: boolean;
};

const otherOf = (reach: Reach): Reach => (reach === 'near' ? 'whole' : 'near');

/** The fingerprint of this answer; null = none can be kept, `as before` = the kept one still is it. */
const ownOf = (left: Left): KeptFingerprint | 'as before' | null => {
	const { answer, before, reach, poll } = left;
	if (!left.isMirrored) return null;
	if (answer.listing.form === 'unchanged' && before[reach] !== null) return 'as before';
	const made = poll === null ? null : (answer.fingerprint?.() ?? null);
	if (poll !== null && made !== null && JSON.stringify(made).length <= MAX_LENGTH) {
		return { ...poll, made };
	}
	return left.isNews ? null : 'as before';
};

const put = async (
	tx: Tx,
	sourceId: SourceId,
	reach: Reach,
	{ token, fullAt, made }: KeptFingerprint
): Promise<void> => {
	await tx`
		insert into fingerprints (source_id, reach, token, full_at, made)
		values (${sourceId}, ${reach}, ${token}, ${fullAt}, ${JSON.stringify(made)}::text::jsonb)
		on conflict (source_id, reach) do update
			set token = excluded.token, full_at = excluded.full_at, made = excluded.made`;
};

const drop = async (tx: Tx, sourceId: SourceId, reach: Reach): Promise<void> => {
	await tx`delete from fingerprints where source_id = ${sourceId} and reach = ${reach}`;
};

/**
 * S33: keeps the fingerprint of what the store shows now and takes away what is not so any more; an
 * answer that changes nothing touches none. Returns those that are left.
 */
export const keepFingerprints = async (
	tx: Tx,
	sourceId: SourceId,
	left: Left
): Promise<Fingerprints> => {
	const { before, reach } = left;
	const other = otherOf(reach);
	const own = ownOf(left);
	if (own === null && before[reach] !== null) await drop(tx, sourceId, reach);
	else if (own !== null && own !== 'as before') await put(tx, sourceId, reach, own);
	const isOtherLost = !left.isMirrored || left.isNews;
	if (isOtherLost && before[other] !== null) await drop(tx, sourceId, other);
	const after = { [reach]: own === 'as before' ? before[reach] : own };
	return { ...noFingerprints, [other]: isOtherLost ? null : before[other], ...after };
};
