// Vitest global setup of the projects that need Redis.
import type { TestProject } from 'vitest/node';
import { borrowRedis, giveBackRedis } from './services.ts';

export const setup = async (project: TestProject): Promise<void> => {
	project.provide('redisUrl', await borrowRedis());
};

export const teardown = giveBackRedis;
