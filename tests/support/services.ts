// The databases of one test run: started once, when the first project that needs them begins, and
// stopped when the last one ends. Each test file then takes its own part of them.
import { createPostgres } from '#server/platform/postgres.ts';
import { migrate } from '#server/store/migrate.ts';
import { createEmbeddedPostgres } from '../../ops/embedded/postgres.ts';
import { createEmbeddedRedis } from '../../ops/embedded/redis.ts';

declare module 'vitest' {
	export interface ProvidedContext {
		/** Superuser address of the run's PostgreSQL; database `slotcast_template` is migrated. */
		postgresUrl: string;
		redisUrl: string;
	}
}

type Shared<T> = { users: number; started: Promise<T> };
type Service = { url: string; close: () => Promise<void> };

const registry = Symbol.for('slotcast.test-services');
type Holder = { [registry]?: Map<string, Shared<Service>> };

// Every project has its own copy of this module, so what they share lies on globalThis.
const shared = (): Map<string, Shared<Service>> => {
	const holder = globalThis as Holder;
	return (holder[registry] ??= new Map());
};

const borrow = async (name: string, start: () => Promise<Service>): Promise<string> => {
	const service = shared().get(name) ?? { users: 0, started: start() };
	shared().set(name, service);
	service.users += 1;
	return (await service.started).url;
};

const giveBack = async (name: string): Promise<void> => {
	const service = shared().get(name);
	if (service === undefined) return;
	service.users -= 1;
	if (service.users > 0) return;
	shared().delete(name);
	await (await service.started.catch(() => undefined))?.close();
};

const say = (line: string): void => {
	process.stdout.write(`services: ${line}\n`);
};

const startPostgres = async (): Promise<Service> => {
	const server = await createEmbeddedPostgres({ durable: false, onProgress: say });
	try {
		const admin = createPostgres(server.url, { max: 1, applicationName: 'test-setup' });
		await admin`create database slotcast_template`;
		await admin.end();
		const template = createPostgres(new URL('/slotcast_template', server.url).href, {
			max: 1,
			applicationName: 'test-setup'
		});
		await migrate(template);
		await template.end();
		return server;
	} catch (error) {
		await server.close();
		throw error;
	}
};

export const borrowPostgres = (): Promise<string> => borrow('postgres', startPostgres);
export const giveBackPostgres = (): Promise<void> => giveBack('postgres');

export const borrowRedis = (): Promise<string> =>
	borrow('redis', () => createEmbeddedRedis({ durable: false, onProgress: say }));
export const giveBackRedis = (): Promise<void> => giveBack('redis');
