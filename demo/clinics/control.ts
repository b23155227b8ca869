// The control server: makes one clinic fill, fail or move while one watches, and tells the truth.
// On a port of its own, for 127.0.0.1 only, and never for a page of another origin.
import { z } from 'zod';
import type { Ask, Handler, Reply } from './exchange.ts';
import { createFaults, faultKinds } from './faults.ts';
import type { Served } from './serve.ts';
import { createServed } from './serve.ts';
import type { RunningClinic } from './running.ts';

type ControlParts = {
	clinics: readonly RunningClinic[];
	step: (ms: number) => number;
	now: () => number;
	port: number;
};

const MOST_STEP_MS = 7 * 86_400_000;

const Burst = z.object({
	clinic: z.string(),
	count: z.int().min(1).max(5000).default(50),
	overMs: z.int().min(0).max(3_600_000).default(60_000),
	kind: z.enum(['fill', 'open']).default('fill'),
	practitionerId: z.string().optional(),
	specialtyId: z.string().optional()
});

const Fault = z.object({
	clinic: z.string(),
	kind: z.enum([...faultKinds, 'none']),
	forMs: z.int().positive().optional(),
	count: z.int().positive().optional(),
	match: z.string().max(200).optional(),
	delayMs: z.int().min(0).max(600_000).optional(),
	retryAfterS: z.int().min(0).max(86_400).optional(),
	asDate: z.boolean().optional(),
	skewMs: z.int().optional(),
	quiet: z.boolean().optional()
});

const Step = z.object({ ms: z.int().min(0).max(MOST_STEP_MS) });

const SetStatus = z.object({
	status: z.enum(['free', 'busy', 'busy-tentative', 'busy-unavailable', 'removed'])
});

const json = (status: number, value: unknown): Reply => ({
	status,
	headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
	body: JSON.stringify(value)
});

const refused = (status: number, reason: string): Reply => json(status, { error: reason });

/** Leaves out what was not given, so that optional fields stay absent. */
const given = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
	JSON.parse(JSON.stringify(value));

const stateOf = (parts: ControlParts, key: string | null): Reply => {
	const one = parts.clinics.find((clinic) => clinic.key === key);
	if (key !== null && one === undefined) return refused(404, 'clinic_unknown');
	if (one !== undefined) return json(200, { key: one.key, ...one.truth() });
	return json(200, {
		now: parts.now(),
		clinics: parts.clinics.map((clinic) => ({
			key: clinic.key,
			name: clinic.name,
			kind: clinic.kind,
			url: clinic.url,
			operatorNotes: clinic.operatorNotes,
			counts: clinic.truth().counts,
			appointments: clinic.appointments(),
			faults: clinic.standingFaults()
		}))
	});
};

const burst = (parts: ControlParts, body: unknown): Reply => {
	const read = Burst.safeParse(body);
	if (!read.success) return refused(400, 'burst_unreadable');
	const { clinic: key, ...request } = read.data;
	const clinic = parts.clinics.find((each) => each.key === key);
	return clinic === undefined
		? refused(404, 'clinic_unknown')
		: json(200, { slots: clinic.burst(given(request)) });
};

const fault = (parts: ControlParts, body: unknown): Reply => {
	const read = Fault.safeParse(body);
	if (!read.success) return refused(400, 'fault_unreadable');
	const { clinic: key, kind, ...rest } = read.data;
	const clinic = parts.clinics.find((each) => each.key === key);
	if (clinic === undefined) return refused(404, 'clinic_unknown');
	clinic.setFault(kind === 'none' ? null : { kind, ...given(rest) });
	return json(200, { faults: clinic.standingFaults() });
};

const setStatus = (parts: ControlParts, slotId: string, body: unknown): Reply => {
	const read = SetStatus.safeParse(body);
	if (!read.success) return refused(400, 'status_unreadable');
	const known = parts.clinics.some((clinic) => clinic.setSlotStatus(slotId, read.data.status));
	return known ? json(200, { slotId, ...read.data }) : refused(404, 'slot_unknown');
};

const step = (parts: ControlParts, body: unknown): Reply => {
	const read = Step.safeParse(body);
	return read.success
		? json(200, { moved: parts.step(read.data.ms), now: parts.now() })
		: refused(400, 'step_unreadable');
};

const readJson = (ask: Ask): unknown => {
	try {
		return JSON.parse(ask.body === '' ? '{}' : ask.body);
	} catch {
		return undefined;
	}
};

const controlHandler =
	(parts: ControlParts): Handler =>
	(ask) => {
		if (ask.headers['origin'] !== undefined) return refused(403, 'origin_forbidden');
		const [root, what = '', id] = ask.url.pathname.split('/').filter(Boolean);
		if (root !== 'control') return refused(404, 'not_found');
		if (ask.method === 'GET' && what === 'state') {
			return stateOf(parts, ask.url.searchParams.get('clinic'));
		}
		if (ask.method !== 'POST') return refused(405, 'method_forbidden');
		const body = readJson(ask);
		if (what === 'burst') return burst(parts, body);
		if (what === 'fault') return fault(parts, body);
		if (what === 'step') return step(parts, body);
		return what === 'slots' && id !== undefined
			? setStatus(parts, id, body)
			: refused(404, 'not_found');
	};

/** Serves the controls of the given clinics. */
export const createControl = (parts: ControlParts): Promise<Served> =>
	createServed({
		handler: controlHandler(parts),
		faults: createFaults(parts.now),
		now: parts.now,
		port: parts.port
	});
