// Everything that a Redis and a database hold, as text to be searched for what must not be there.
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { System } from './system.ts';

/** Every key of a Redis with its value, as bytes. */
export const dumpRedis = async (client: Redis): Promise<string> => {
	const parts: string[] = [];
	for await (const keys of client.scanStream({ count: 500 })) {
		for (const key of keys as string[]) {
			const dumped = await client.dumpBuffer(key);
			parts.push(key, dumped?.toString('latin1') ?? '');
		}
	}
	return parts.join('\n');
};

/** Every row of every table as text; bytes in hexadecimal. */
export const dumpTables = async ({ database: { sql } }: System): Promise<string> => {
	const tables = await sql<{ name: string }[]>`
		select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`;
	const parts: string[] = [];
	for (const { name } of tables) {
		const rows = await sql.unsafe<{ line: string }[]>(`select t::text as line from ${name} t`);
		parts.push(...rows.map(({ line }) => line));
	}
	expect(parts.length).toBeGreaterThan(50);
	return parts.join('\n');
};
