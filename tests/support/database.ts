// A test file's own PostgreSQL database, cloned from the migrated template.
import { inject } from 'vitest';
import { createPostgres } from '#server/platform/postgres.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { mustClose } from './leaks.ts';

export type TestDatabase = {
	url: string;
	/** Connected as the hub connects; superuser unless a role was asked for. */
	sql: Sql;
	close: () => Promise<void>;
};

let made = 0;
let admin: Sql | undefined;

/** One connection for making and dropping databases, kept as long as the process of the tests. */
const adminOf = (): Sql =>
	(admin ??= createPostgres(inject('postgresUrl'), { max: 1, applicationName: 'test-admin' }));

/**
 * A migrated, otherwise empty database that nobody else uses. Close it in the test, or in
 * `afterAll` when it was made in `beforeAll`; other connections to it are then cut.
 */
export const createTestDatabase = async (
	options: { maxConnections?: number; role?: string } = {}
): Promise<TestDatabase & AsyncDisposable> => {
	made += 1;
	const name = `test_${process.pid}_${made}`;
	// Copied as files: a quarter of the work of writing every page into the log, which nobody reads.
	await adminOf()`
		create database ${adminOf()(name)} template slotcast_template strategy file_copy`;
	const url = new URL(`/${name}`, inject('postgresUrl')).href;
	const sql = createPostgres(url, {
		max: options.maxConnections ?? 10,
		applicationName: 'test',
		...(options.role !== undefined && { role: options.role })
	});
	return mustClose(`database ${name}`, {
		url,
		sql,
		close: async () => {
			await sql.end({ timeout: 5 });
			await adminOf()`drop database if exists ${adminOf()(name)} with (force)`;
		}
	});
};
