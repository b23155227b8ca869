// What a benchmark returns, and the small arithmetic all of them share.
import { readFileSync } from 'node:fs';

/**
 * One measured figure. Goals are ratios against a baseline of the same run, because the machines
 * are noisy and differ; absolute numbers are for reading only.
 */
export type BenchResult = {
	readonly name: string;
	readonly unit: string;
	/** One value per round. */
	readonly ours: readonly number[];
	/** The named peer, measured in the same rounds. */
	readonly baseline?: { readonly name: string; readonly values: readonly number[] };
	/** In words: "at most 0.4 × JSON.parse". */
	readonly goal?: string;
	readonly met?: boolean;
	readonly note?: string;
};

export const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

export const quantile = (values: readonly number[], share: number): number => {
	const ascending = sorted(values);
	return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? NaN;
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Median of ours ÷ median of the baseline, or null without one. */
export const ratioOf = (result: BenchResult): number | null =>
	result.baseline === undefined ? null : median(result.ours) / median(result.baseline.values);

/** User + system CPU seconds of a process so far, from /proc (Linux); NaN elsewhere. */
export const cpuSecondsOf = (pid: number): number => {
	try {
		const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
		// utime and stime are fields 14 and 15 of proc(5), in ticks of 1/100 s.
		return (Number(fields[11]) + Number(fields[12])) / 100;
	} catch {
		return NaN;
	}
};

/** Resident bytes of a process, from /proc (Linux); NaN elsewhere. */
export const residentBytesOf = (pid: number): number => {
	try {
		return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096;
	} catch {
		return NaN;
	}
};

/** Busy CPU seconds of the whole machine so far (Linux); NaN elsewhere. */
export const machineBusySeconds = (): number => {
	try {
		const first = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/) ?? [];
		const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = first.slice(1).map(Number);
		return (user + nice + system + irq + softirq) / 100;
	} catch {
		return NaN;
	}
};
