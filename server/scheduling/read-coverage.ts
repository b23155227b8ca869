// Where the times come from, for everybody.
import type { Coverage } from '#domain/coverage.ts';
import type { Sql } from '../platform/postgres.ts';
import { readCoverage as read } from '../store/coverage.ts';

export const readCoverage =
	({ sql }: { readonly sql: Sql }) =>
	(region: string | null): Promise<Coverage> =>
		read(sql, region);
