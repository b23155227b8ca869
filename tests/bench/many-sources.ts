// Sources of a benchmark, written as an operator would, and what a process and its children cost.
import { readdirSync, readFileSync } from 'node:fs';
import { regions, specialties } from '#domain/codes.ts';
import { must } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import type { Sql } from '#server/platform/postgres.ts';
import { upsertSource } from '#server/store/sources.ts';
import { cpuSecondsOf, residentBytesOf } from './bench.ts';
import type { Publisher } from './publisher.ts';

const AT_ONCE = 12;

/** `count` sources, each one specialty in one region, spread over all rooms. */
export const addSources = async (
	sql: Sql,
	publisher: Publisher,
	{ count, minIntervalMs }: { readonly count: number; readonly minIntervalMs: number }
): Promise<void> => {
	let next = 0;
	const work = async (): Promise<void> => {
		for (let nth = next++; nth < count; nth = next++) {
			await upsertSource(
				sql,
				SourceSettings.parse({
					key: `bench-${nth}`,
					name: `Clinic ${nth}`,
					kind: 'smart-scheduling-links',
					url: publisher.urlOf(nth),
					notes: {
						zone: 'America/Denver',
						specialtyIds: [must(specialties[nth % specialties.length]).id],
						regions: [must(regions[Math.floor(nth / specialties.length) % regions.length]).code],
						kinds: ['video']
					},
					minIntervalMs,
					allowPrivate: true
				})
			);
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, work));
};

const childrenOf = (parent: number): number[] =>
	readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.filter((name) => {
			try {
				const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ');
				return Number(fields?.[1]) === parent;
			} catch {
				return false;
			}
		})
		.map(Number);

/** CPU seconds so far of a server and of its living children (Linux). */
export const familyCpuSeconds = (pid: number): number =>
	[pid, ...childrenOf(pid)].reduce((sum, each) => sum + (cpuSecondsOf(each) || 0), 0);

/** Largest resident size that a process ever had, bytes (Linux); NaN elsewhere. */
export const peakBytesOf = (pid: number): number => {
	try {
		const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
		return Number(line?.[1] ?? NaN) * 1_024;
	} catch {
		return NaN;
	}
};

export const MB = 1_048_576;
export const residentMb = (pid: number): number => residentBytesOf(pid) / MB;
