// Starts a small practice that speaks one of the formats below, on 127.0.0.1, with faults on demand.
import { createFaults, type FaultRequest } from '../faults.ts';
import { createServed } from '../serve.ts';
import { formats, type OfficeFormat } from './formats.ts';
import { createOffice, type Office } from './office.ts';

export type { OfficeFormat } from './formats.ts';

export type RunningOffice = {
	readonly url: string;
	readonly office: Office;
	/** Starts a fault; null ends all. */
	readonly setFault: (fault: FaultRequest | null) => void;
	readonly now: () => number;
	readonly close: () => Promise<void>;
};

/** `startAt`: UTC ms where its clock begins. Port 0 takes a free one. */
export const startOffice = async (
	format: OfficeFormat,
	{ startAt = Date.now(), port = 0 }: { startAt?: number; port?: number } = {}
): Promise<RunningOffice> => {
	const bootedAt = Date.now();
	const trueNow = (): number => startAt + Date.now() - bootedAt;
	const faults = createFaults(trueNow);
	const now = (): number => trueNow() + faults.skewMs();
	const office = createOffice(trueNow);
	const { path, handler } = formats[format];
	const served = await createServed({ handler: handler(office), faults, now, port });
	return {
		url: served.url + path,
		office,
		setFault: (fault) => (fault === null ? faults.clear() : faults.set(fault)),
		now: trueNow,
		close: served.close
	};
};
