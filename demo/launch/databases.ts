// PostgreSQL and Redis for the demo: the ones the environment names, else our own.
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { checkPostgres, createPostgres } from '#server/platform/postgres.ts';
import { createEmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';
import { PlainError } from '../../ops/embedded/plain-error.ts';

export type Database = {
	url: string;
	/** Settles when a server of ours has ended by itself; never for one of the environment. */
	exited: Promise<unknown>;
	close: () => Promise<void>;
};

export type Databases = { postgres: Database; redis: Database; close: () => Promise<void> };

type Options = { folder: string; env: NodeJS.ProcessEnv; say: (line: string) => void };

const CONNECT_TIMEOUT_S = 5;
const never = new Promise<never>(() => {});

const given = (url: string): Database => ({
	url,
	exited: never,
	close: () => Promise.resolve()
});

/** Where an address points, without the password in it. */
const placeOf = (url: string): string => {
	try {
		return new URL(url).host || 'this machine';
	} catch {
		return 'no valid address';
	}
};

const reasonOf = (error: unknown): string => {
	if (error instanceof AggregateError) return reasonOf(error.errors[0]);
	return error instanceof Error ? error.message || error.name : String(error);
};

const checkGivenPostgres = async (url: string): Promise<Database> => {
	const sql = createPostgres(url, { max: 1, applicationName: 'demo-check' });
	try {
		await sql`select 1`;
		await checkPostgres(sql).catch((error: Error) => {
			throw new PlainError(error.message, { cause: error });
		});
	} catch (error) {
		if (error instanceof PlainError) throw error;
		throw new PlainError(
			`DATABASE_URL names ${placeOf(url)}, where PostgreSQL cannot be used (${reasonOf(error)}): put that right, or unset DATABASE_URL to use the built-in one.`,
			{ cause: error }
		);
	} finally {
		await sql.end({ timeout: 1 });
	}
	return given(url);
};

const checkGivenRedis = async (url: string): Promise<Database> => {
	let last: unknown;
	const client = new Redis(url, {
		lazyConnect: true,
		connectTimeout: CONNECT_TIMEOUT_S * 1_000,
		maxRetriesPerRequest: 0,
		retryStrategy: () => null
	});
	client.on('error', (error) => {
		last = error;
	});
	try {
		await client.connect();
		await client.ping();
	} catch (error) {
		throw new PlainError(
			`REDIS_URL names ${placeOf(url)}, where Redis cannot be used (${reasonOf(last ?? error)}): put that right, or unset REDIS_URL to use a built-in one.`,
			{ cause: error }
		);
	} finally {
		client.disconnect();
	}
	return given(url);
};

const openPostgres = async ({ folder, env, say }: Options): Promise<Database> => {
	const url = env['DATABASE_URL'];
	if (url) return await checkGivenPostgres(url);
	const dataDir = join(folder, 'postgres');
	return await createEmbeddedPostgres({ dataDir, durable: true, onProgress: say });
};

const openRedis = async ({ folder, env, say }: Options): Promise<Database> => {
	const url = env['REDIS_URL'];
	if (url) return await checkGivenRedis(url);
	const dataDir = join(folder, 'redis');
	return await createEmbeddedRedis({ dataDir, durable: true, onProgress: say });
};

/** Opens both; when one cannot be had the other is stopped and the reason thrown. */
export const openDatabases = async (options: Options): Promise<Databases> => {
	const [first, second] = await Promise.allSettled([openPostgres(options), openRedis(options)]);
	if (first.status === 'fulfilled' && second.status === 'fulfilled') {
		const close = async () => {
			await Promise.all([first.value.close(), second.value.close()]);
		};
		return { postgres: first.value, redis: second.value, close };
	}
	for (const outcome of [first, second]) {
		if (outcome.status === 'fulfilled') await outcome.value.close();
	}
	const failed = first.status === 'rejected' ? first : second;
	throw failed.status === 'rejected' ? failed.reason : new Error('unreachable');
};
