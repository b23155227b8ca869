// The audit: who read or wrote whose data, and what operators did to sources. Rows are chained by
// hashes, so that an edit, a removal or an insertion anywhere is found and its place named.
import { createHash } from 'node:crypto';
import type { PatientId } from '#domain/ids.ts';
import type { Instant } from '#domain/time.ts';
import type { Queryable, Tx } from '../platform/postgres.ts';

/** Who acts. A device is named by its key's hash, never by its secret. */
export type Actor =
	| `device:${string}`
	| `clinic:${number}`
	| `link:${string}`
	| `worker:${string}`
	| `upkeep:${string}`
	/** Who holds the operator's link or sits at the command line. */
	| `operator:${string}`;

/** What was touched: whose data, which source and which of its secrets (by name), which schedule. */
export type AuditObject =
	| PatientId
	| `source:${string}`
	| `secret:${string}`
	| `schedule:${number}`;

export type AuditAction =
	| 'patient_written'
	| 'patient_read'
	| 'patient_rewrapped'
	| 'patient_shredded'
	| 'source_added'
	| 'source_changed'
	| 'source_paused'
	| 'source_resumed'
	| 'source_removed'
	| 'source_replayed'
	| 'secret_saved'
	| 'secret_dropped'
	| 'calendar_made'
	| 'calendar_ended'
	| 'schedule_closed'
	| 'schedule_opened';

/** One row for one act, however many objects it touched; in the same transaction. */
export const appendAudit = async (
	tx: Tx,
	actor: Actor,
	action: AuditAction,
	objects: readonly AuditObject[]
): Promise<void> => {
	await tx`select append_audit(${actor}, ${action}, ${[...objects]}::text[])`;
};

type AuditRow = {
	id: number;
	at: Instant;
	actor: string;
	action: string;
	objects: string[];
	previousHash: Uint8Array;
	hash: Uint8Array;
};

/** The newest link: kept outside the database, it also shows a cut-off end. */
export type AuditHead = { readonly id: number; readonly hash: string };

export type AuditVerdict =
	| { readonly intact: true; readonly head: AuditHead }
	| { readonly intact: false; readonly brokenAt: number };

const PAGE_ROWS = 5_000;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const hashOf = (row: AuditRow): string =>
	createHash('sha256')
		.update(
			[row.id, row.at, row.actor, row.action, row.objects.join(','), hex(row.previousHash)].join(
				'|'
			)
		)
		.digest('hex');

const readPage = (sql: Queryable, after: number): Promise<AuditRow[]> =>
	sql<AuditRow[]>`
		select id, at, actor, action, objects, previous_hash as "previousHash", hash
		from audit where id > ${after} order by id limit ${PAGE_ROWS}`;

/**
 * Recomputes the whole chain. `known` is a head noted earlier: if the chain no longer contains it,
 * the end was cut off or rewritten. O(rows), in pages.
 */
export const verifyAudit = async (
	sql: Queryable,
	known: AuditHead | null = null
): Promise<AuditVerdict> => {
	let head: AuditHead = { id: 0, hash: '' };
	for (;;) {
		const page = await readPage(sql, head.id);
		for (const row of page) {
			const hash = hex(row.hash);
			const linked = row.id === head.id + 1 && hex(row.previousHash) === head.hash;
			if (!linked || hashOf(row) !== hash || (row.id === known?.id && hash !== known.hash)) {
				return { intact: false, brokenAt: head.id + 1 };
			}
			head = { id: row.id, hash };
		}
		if (page.length < PAGE_ROWS) break;
	}
	if (known !== null && head.id < known.id) return { intact: false, brokenAt: head.id + 1 };
	return { intact: true, head };
};
