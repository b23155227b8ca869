// The demo's own use of the hub's store: the schema, the sources, and how the first polls go.
import type { SourceId } from '#domain/ids.ts';
import type { SourceSettings } from '#domain/source.ts';
import { createPostgres } from '#server/platform/postgres.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { prepareDatabase } from '#server/store/migrate.ts';
import { deleteSource, listSources, upsertSource } from '#server/store/sources.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';

export type SeededSource = { id: SourceId; settings: SourceSettings };

export type Store = {
	/** Brings the schema up to date and makes the demo's sources exactly these. */
	seed: (sources: readonly SourceSettings[]) => Promise<SeededSource[]>;
	/** How many of the demo's sources have answered at least once. */
	countAnswered: () => Promise<number>;
	close: () => Promise<void>;
};

/** O18: a database that the environment names may hold somebody's real sources. */
const isLocal = ({ url }: SourceSettings): boolean =>
	['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);

const seedSources = async (
	sql: Sql,
	sources: readonly SourceSettings[]
): Promise<SeededSource[]> => {
	const keys = new Set(sources.map(({ key }) => key));
	for (const known of await listSources(sql)) {
		const isOurs = isLocal(known.settings) && !keys.has(known.settings.key);
		if (isOurs) await deleteSource(sql, known.id);
	}
	const seeded: SeededSource[] = [];
	for (const settings of sources) {
		seeded.push({ id: await upsertSource(sql, settings), settings });
	}
	// Whatever kept a source away last time (the machine slept, the clinic was not there) is over.
	await sql`
		update sources set next_poll_at = now(), polling_until = null, failures = 0
		where id = any (${seeded.map(({ id }) => id)}::bigint[])`;
	return seeded;
};

const migrateTo = async (url: string, say: (line: string) => void): Promise<void> => {
	try {
		await prepareDatabase(url, (step) => say(`database: ${step}`));
	} catch (error) {
		if (!(error instanceof Error) || !error.message.startsWith('Migration ')) throw error;
		throw new PlainError(`${error.message} For the demo: start over with --fresh.`, {
			cause: error
		});
	}
};

/** Opens the store of the database at `url`. */
export const openStore = (url: string, say: (line: string) => void): Store => {
	const sql = createPostgres(url, { max: 2, applicationName: 'slotcast-demo' });
	return {
		seed: async (sources) => {
			await migrateTo(url, say);
			return await seedSources(sql, sources);
		},
		countAnswered: async () => {
			const known = await listSources(sql);
			return known.filter(({ enabled, committedGen }) => enabled && committedGen > 0).length;
		},
		close: () => sql.end({ timeout: 5 })
	};
};
