// A test file's own PostgreSQL database, cloned from the migrated template.
import { inject } from 'vitest';
import postgres from 'postgres';
import { mustClose } from './leaks.ts';

export type TestDatabase = {
	url: string;
	/** bigint columns come as numbers, as in the hub. */
	sql: TestSql;
	close: () => Promise<void>;
};

export type TestSql = postgres.Sql<{ bigint: number }>;

let made = 0;

const connect = (url: string, max: number): TestSql =>
	postgres(url, {
		max,
		onnotice: () => {},
		types: {
			bigint: { to: 20, from: [20], serialize: String, parse: Number }
		}
	});

const withAdmin = async (work: (sql: TestSql) => Promise<unknown>): Promise<void> => {
	const admin = connect(inject('postgresUrl'), 1);
	try {
		await work(admin);
	} finally {
		await admin.end({ timeout: 5 });
	}
};

/**
 * A migrated, otherwise empty database that nobody else uses. Close it in the test, or in
 * `afterAll` when it was made in `beforeAll`; other connections to it are then cut.
 */
export const createTestDatabase = async (
	options: { maxConnections?: number } = {}
): Promise<TestDatabase & AsyncDisposable> => {
	made += 1;
	const name = `test_${process.pid}_${made}`;
	await withAdmin((admin) => admin`create database ${admin(name)} template slotcast_template`);
	const url = new URL(`/${name}`, inject('postgresUrl')).href;
	const sql = connect(url, options.maxConnections ?? 10);
	return mustClose(`database ${name}`, {
		url,
		sql,
		close: async () => {
			await sql.end({ timeout: 5 });
			await withAdmin((admin) => admin`drop database if exists ${admin(name)} with (force)`);
		}
	});
};
