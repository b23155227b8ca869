// Simulated clinics for tests: started with a fixed world and closed when the test ends.
import { onTestFinished } from 'vitest';
import type { ClinicOptions, RunningClinic, RunningClinics } from '../../../demo/clinics/start.ts';
import { startClinics } from '../../../demo/clinics/start.ts';
import { must } from '#domain/result.ts';

export type Entry = {
	fullUrl: string;
	resource: { resourceType: string; id: string } & Record<string, unknown>;
	search?: { mode: string };
	request?: { method: string; url: string };
};

export type Bundle = {
	resourceType: string;
	type: string;
	total: number;
	link: { relation: string; url: string }[];
	entry?: Entry[];
};

export type Outcome = { resourceType: string; issue: { severity: string; code: string }[] };

/** A Sunday a week before the clocks change on 2026-11-01. */
export const BEFORE_CHANGE = Date.parse('2026-10-25T06:00:00Z');

/** Clinics of a still world that close with the test. */
export const openClinics = async (options: ClinicOptions = {}): Promise<RunningClinics> => {
	const running = await startClinics({ startAt: BEFORE_CHANGE, slotCount: 200, ...options });
	onTestFinished(() => running.close());
	return running;
};

export const openClinic = async (
	key: string,
	options: ClinicOptions = {}
): Promise<RunningClinic & { running: RunningClinics }> => {
	const running = await openClinics({ keys: [key], slotCount: 60, ...options });
	return { ...must(running.clinics[0], 'clinic'), running };
};

export const getJson = async <T = Bundle>(url: string, init: RequestInit = {}): Promise<T> =>
	(await (await fetch(url, init)).json()) as T;

/** Sends a FHIR body. */
export const send = (
	method: string,
	url: string,
	body: unknown,
	headers: Record<string, string> = {}
): Promise<Response> =>
	fetch(url, {
		method,
		body: JSON.stringify(body),
		headers: { 'content-type': 'application/fhir+json', ...headers }
	});

export const nextOf = (bundle: Bundle): string | undefined =>
	bundle.link.find(({ relation }) => relation === 'next')?.url;

/** All pages of a search, following the next links. */
export const allPages = async (url: string): Promise<Bundle[]> => {
	const pages: Bundle[] = [];
	for (let next: string | undefined = url; next !== undefined && pages.length < 200;) {
		const page: Bundle = await getJson(next);
		pages.push(page);
		next = nextOf(page);
	}
	return pages;
};

export const matchesOf = (pages: readonly Bundle[]): Entry[] =>
	pages.flatMap((page) => (page.entry ?? []).filter(({ search }) => search?.mode === 'match'));

/** A free slot of the clinic that nobody has an appointment on. */
export const freeSlot = (clinic: RunningClinic, skip = 0) =>
	must(clinic.truth().slots.filter(({ status }) => status === 'free')[skip], 'free slot');

/** A booking of one slot as the hub would post it. */
export const appointmentOn = (slotId: string, booking: string, more: object = {}) => ({
	resourceType: 'Appointment',
	status: 'booked',
	identifier: [{ system: 'https://hub.example/ids/booking', value: booking }],
	slot: [{ reference: `Slot/${slotId}` }],
	participant: [{ actor: { display: 'A patient' }, status: 'accepted' }],
	...more
});
