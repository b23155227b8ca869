// Vitest global setup of the projects that need PostgreSQL.
import type { TestProject } from 'vitest/node';
import { borrowPostgres, giveBackPostgres } from './services.ts';

export const setup = async (project: TestProject): Promise<void> => {
	project.provide('postgresUrl', await borrowPostgres());
};

export const teardown = giveBackPostgres;
