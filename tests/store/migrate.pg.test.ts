import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { migrate, readMigrations } from '#server/store/migrate.ts';
import { mustClose } from '../support/leaks.ts';

let made = 0;

/** A database with nothing in it. */
const createEmptyDatabase = async () => {
	const admin = createPostgres(inject('postgresUrl'), { max: 1, applicationName: 'test' });
	const name = `empty_${process.pid}_${(made += 1)}`;
	await admin`create database ${admin(name)}`;
	const url = new URL(`/${name}`, inject('postgresUrl')).href;
	const open = (): Sql => createPostgres(url, { max: 2, applicationName: 'test' });
	const sql = open();
	return mustClose(`database ${name}`, {
		sql,
		open,
		close: async () => {
			await sql.end({ timeout: 5 });
			await admin`drop database ${admin(name)} with (force)`;
			await admin.end({ timeout: 5 });
		}
	});
};

const createFolder = async (files: Record<string, string>) => {
	const path = await mkdtemp(join(tmpdir(), 'slotcast-migrations-'));
	const write = async (more: Record<string, string>) => {
		for (const [name, text] of Object.entries(more)) await writeFile(join(path, name), text);
	};
	await write(files);
	return mustClose('folder', { path, write, close: () => rm(path, { recursive: true }) });
};

const outlineOf = async (sql: Sql) =>
	await sql`
	select table_name, column_name, data_type from information_schema.columns
	where table_schema = 'public' order by 1, 2`;

test('[S20] processes that start at once bring the database to one schema, each file once', async () => {
	await using database = await createEmptyDatabase();
	const pools = Array.from({ length: 4 }, () => database.open());
	const steps: string[] = [];
	await Promise.all(pools.map((sql) => migrate(sql, (name) => steps.push(name))));
	const files = (await readMigrations()).map((migration) => migration.name);
	// Each hears of its own; who hears first of two steps is chance, which was applied first is not.
	expect(steps.toSorted()).toEqual(files);
	expect(
		await database.sql`select name from schema_migrations order by xmin::text::bigint`
	).toEqual(files.map((name) => ({ name })));
	const outline = await outlineOf(database.sql);
	await migrate(database.sql, (name) => steps.push(name));
	expect(steps).toHaveLength(files.length);
	expect(await outlineOf(database.sql)).toEqual(outline);
	await Promise.all(pools.map((sql) => sql.end({ timeout: 5 })));
});

test('[S20] an applied file that was changed is refused with what to do', async () => {
	await using database = await createEmptyDatabase();
	await migrate(database.sql);
	await database.sql`update schema_migrations set checksum = 'other' where number = 1`;
	await expect(migrate(database.sql)).rejects.toThrow(
		'001-hub.sql was changed after it was applied to this database: restore the file'
	);
});

test('[S20] a broken file leaves nothing of itself, and goes in when it is mended', async () => {
	await using database = await createEmptyDatabase();
	await migrate(database.sql);
	const real = await readMigrations();
	await using folder = await createFolder({
		...Object.fromEntries(real.map((migration) => [migration.name, migration.text])),
		'900-extra.sql': 'create table extra (id int); select no_such_function();'
	});
	await expect(migrate(database.sql, undefined, folder.path)).rejects.toThrow('no_such_function');
	expect(await database.sql`select to_regclass('extra') as found`).toEqual([{ found: null }]);
	await folder.write({ '900-extra.sql': 'create table extra (id int);' });
	await migrate(database.sql, undefined, folder.path);
	expect(await database.sql`select to_regclass('extra')::text as found`).toEqual([
		{ found: 'extra' }
	]);
	// The version before does not know number 900 and still starts.
	await migrate(database.sql);
});

test('[S20] files need a number of their own', async () => {
	await using twice = await createFolder({ '001-a.sql': '', '001-b.sql': '' });
	await expect(readMigrations(twice.path)).rejects.toThrow('001-b.sql should be named');
	await using unnamed = await createFolder({ 'a.sql': '' });
	await expect(readMigrations(unnamed.path)).rejects.toThrow('a.sql should be named');
});
