// The viewers of the fan-out benchmark, in a process of their own.
import { setPriority } from 'node:os';
import { createRawViewer } from './raw-viewer.ts';
import type { RawViewer } from './raw-viewer.ts';

export type ViewersOrder = {
	readonly port: number;
	readonly count: number;
	readonly join: unknown;
	/** How many of them note when each change arrived. */
	readonly samples: number;
};

export type ViewersReport = {
	readonly bytes: number;
	readonly frames: number;
	readonly cpuMs: number;
	/** [seq, when it arrived, ms since 1970], of the sampled viewers. */
	readonly arrivals: readonly (readonly [seq: number, at: number])[];
};

const CONNECT_AT_A_TIME = 50;

try {
	setPriority(-10);
} catch {
	// Told by the server already.
}

const order: ViewersOrder = JSON.parse(process.argv[2] ?? '{}');
const now = (): number => performance.timeOrigin + performance.now();
let arrivals: [number, number][] = [];
let cpuBefore = process.cpuUsage();

const note = (text: string): void => {
	if (!text.startsWith('42/patients,["slots:changed"')) return;
	const at = now();
	const [, told] = JSON.parse(text.slice('42/patients,'.length)) as [
		string,
		{ from: number; to: number } | { seq: number }
	];
	const [from, to] = 'seq' in told ? [told.seq - 1, told.seq] : [told.from, told.to];
	for (let seq = from + 1; seq <= to; seq += 1) arrivals.push([seq, at]);
};

const viewers: RawViewer[] = [];
while (viewers.length < order.count) {
	const more = Math.min(CONNECT_AT_A_TIME, order.count - viewers.length);
	const made = Array.from({ length: more }, (_, i) =>
		createRawViewer({
			port: order.port,
			join: order.join,
			...(viewers.length + i < order.samples ? { onText: note } : {})
		})
	);
	viewers.push(...(await Promise.all(made)));
}

const report = (): ViewersReport => {
	const { user, system } = process.cpuUsage(cpuBefore);
	return {
		bytes: viewers.reduce((sum, viewer) => sum + viewer.bytes(), 0),
		frames: viewers.reduce((sum, viewer) => sum + viewer.frames(), 0),
		cpuMs: (user + system) / 1_000,
		arrivals
	};
};

process.on('message', (message) => {
	if (message === 'report') process.send?.(report());
	else if (message === 'reset') {
		for (const viewer of viewers) viewer.reset();
		arrivals = [];
		cpuBefore = process.cpuUsage();
		process.send?.('ready');
	}
});
process.on('disconnect', () => process.exit(0));
process.send?.('connected');
