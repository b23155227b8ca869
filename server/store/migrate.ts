// Brings a database to the present schema. Numbered files run once each, one transaction per file,
// under a lock that lets any number of processes start at the same time.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type postgres from 'postgres';
import { checkPostgres, createPostgres } from '#server/platform/postgres.ts';
import { rollPartitions } from './upkeep.ts';

/** Any connection will do: nothing here depends on how its types are read. */
type AnySql = Pick<postgres.Sql, 'begin'>;

export type Migration = {
	readonly number: number;
	readonly name: string;
	readonly text: string;
	readonly checksum: string;
};

const folder = join(import.meta.dirname, 'migrations');
const fileShape = /^(\d{3})-[a-z0-9-]+\.sql$/;
const LOCK_KEY = 5_107_001;

/** The numbered files of a folder in order; numbers may leave room, but not repeat. */
export const readMigrations = async (from = folder): Promise<Migration[]> => {
	const names = (await readdir(from)).filter((name) => name.endsWith('.sql')).toSorted();
	const migrations: Migration[] = [];
	for (const name of names) {
		const number = Number(fileShape.exec(name)?.[1]);
		if (Number.isNaN(number) || number === migrations.at(-1)?.number) {
			throw new Error(
				`Migration ${name} should be named 042-what-it-does.sql, with a number of its own.`
			);
		}
		const text = await readFile(join(from, name), 'utf8');
		const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
		migrations.push({ number, name, text, checksum });
	}
	return migrations;
};

const checkApplied = (
	applied: readonly { number: number; checksum: string }[],
	migrations: readonly Migration[]
): void => {
	for (const row of applied) {
		const known = migrations.find((migration) => migration.number === row.number);
		// A newer program was here: its migrations keep working with the version before it.
		if (known === undefined || known.checksum === row.checksum) continue;
		throw new Error(
			`Migration ${known.name} was changed after it was applied to this database: restore the file and put the change into a new one.`
		);
	}
};

/** Applies the first migration that is missing; null = none is. */
const applyNext = (sql: AnySql, migrations: readonly Migration[]): Promise<Migration | null> =>
	sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(${LOCK_KEY})`;
		await tx`set local client_min_messages = warning`;
		await tx`create table if not exists schema_migrations (
			number integer primary key,
			name text not null,
			checksum text not null,
			applied_at timestamptz not null default now()
		)`;
		const applied = await tx<{ number: number; checksum: string }[]>`
			select number, checksum from schema_migrations order by number`;
		checkApplied(applied, migrations);
		const done = new Set(applied.map((row) => row.number));
		const next = migrations.find((migration) => !done.has(migration.number));
		if (next === undefined) return null;
		await tx.unsafe(next.text);
		await tx`insert into schema_migrations (number, name, checksum)
			values (${next.number}, ${next.name}, ${next.checksum})`;
		return next;
	});

/**
 * Safe to call from every process at every start. Throws, with a sentence that says what to do,
 * when an applied file was changed. `onStep` hears the name of each file as it is done.
 */
export const migrate = async (
	sql: AnySql,
	onStep: (name: string) => void = () => {},
	from = folder
): Promise<void> => {
	const migrations = await readMigrations(from);
	for (;;) {
		const done = await applyNext(sql, migrations);
		if (done === null) break;
		onStep(done.name);
	}
	await rollPartitions(sql);
};

/**
 * What a process does first: checks that the server can be used and migrates, over a connection
 * whose statements may take any time. Throws an Error of one sentence that is safe to show.
 */
export const prepareDatabase = async (
	url: string,
	onStep?: (name: string) => void
): Promise<void> => {
	const owner = createPostgres(url, {
		max: 1,
		applicationName: 'slotcast-migrate',
		statementTimeoutMs: Infinity
	});
	try {
		await checkPostgres(owner);
		await migrate(owner, onStep);
	} finally {
		await owner.end({ timeout: 5 });
	}
};
