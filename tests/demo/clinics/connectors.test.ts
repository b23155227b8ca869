// The project's own connectors against the simulated clinics: what they read must be true.
import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { SpokenAnswer } from '#domain/answer.ts';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import { createConnectors } from '#workers/connectors/connectors.ts';
import type { Connector } from '#workers/connectors/connector.ts';
import { networkOf } from '../../../demo/clinics/networks.ts';
import { fullName } from '../../../demo/clinics/people.ts';
import { profiles } from '../../../demo/clinics/profiles.ts';
import type { RunningClinic, RunningClinics } from '../../../demo/clinics/start.ts';
import { sourceOf } from '../../../demo/launch/publishers.ts';
import { freeSlot, openClinic } from './support.ts';

type Opened = RunningClinic & { running: RunningClinics };

const openConnector = (clinic: RunningClinic): Connector => {
	const connectors = createConnectors({ allowPrivate: true, ratePerSecond: 1000, rateBurst: 1000 });
	onTestFinished(() => connectors.close());
	return connectors[clinic.kind];
};

const poll = async (connector: Connector, clinic: Opened): Promise<SpokenAnswer> => {
	const answer = await connector.poll({
		source: sourceOf(clinic),
		cursor: {},
		basis: null,
		token: randomUUID(),
		now: toInstant(clinic.running.now()),
		wantFull: true,
		signal: AbortSignal.timeout(15_000)
	});
	if (answer.state === 'silent') throw new Error(`${answer.reason}: ${answer.detail}`);
	return answer;
};

const keys = profiles.map(({ key }) => key);

test.each(keys)('[C34] every slot of %s is read as it is', async (key) => {
	const clinic = await openClinic(key, { slotCount: 150 });
	const answer = await poll(openConnector(clinic), clinic);
	expect(answer.state).toBe('complete');
	expect(answer.flags).toMatchObject({ badRecords: 0, offsetMismatches: 0, repeatedIds: 0 });
	const facts = answer.listing.form === 'full' ? answer.listing.facts : [];
	const read = facts.map(({ sourceSlotId, startsAt, endsAt, status }) => ({
		sourceSlotId,
		startsAt,
		endsAt,
		isFree: status === 'free'
	}));
	const listed = clinic
		.truth()
		.slots.filter(({ status }) => !clinic.operatorNotes.listsOnlyFree || status === 'free')
		.map(({ id, startAt, endAt, status }) => ({
			sourceSlotId: id,
			startsAt: startAt,
			endsAt: endAt,
			isFree: status === 'free'
		}));
	const byId = (one: { sourceSlotId: string }, other: { sourceSlotId: string }) =>
		one.sourceSlotId < other.sourceSlotId ? -1 : 1;
	expect(read.toSorted(byId)).toEqual(listed.toSorted(byId));
});

test.each(keys)('[C34] the people of %s are read as they are', async (key) => {
	const clinic = await openClinic(key, { slotCount: 150 });
	const answer = await poll(openConnector(clinic), clinic);
	const facts = new Map((answer.schedules ?? []).map((fact) => [fact.key, fact]));
	expect(facts.size).toBe(clinic.organisation.practitioners.length);
	for (const person of clinic.organisation.practitioners) {
		const plans = person.networkIds.flatMap((id) => networkOf(id).planTypes);
		expect(facts.get(`${person.id}-sch`)).toMatchObject({
			practitionerName: fullName(person.name),
			organizationName: clinic.name,
			regions: person.regions.map((usps) => `US-${usps}`).toSorted(),
			kinds: person.visitKinds.toSorted(),
			languages: person.languages.toSorted(),
			planIds: [...new Set(plans)].toSorted(),
			zone: person.timeZone,
			specialtyIds: expect.arrayContaining([person.specialtyId])
		});
	}
});

test.each(['prairie-lantern', 'copper-mesa', 'cedar-harbor'])(
	'[C35] a booking at %s can be found and joined',
	async (key) => {
		const clinic = await openClinic(key, { slotCount: 150 });
		const connector = openConnector(clinic);
		const slot = freeSlot(clinic);
		const order = {
			source: sourceOf(clinic),
			bookingId: randomUUID(),
			sourceSlotId: slot.id,
			scheduleKey: `${slot.practitionerId}-sch`,
			startsAt: toInstant(slot.startAt),
			endsAt: toInstant(slot.endAt),
			kind: null,
			patient: {
				givenName: 'Jo',
				familyName: 'Patient',
				bornOn: '1980-02-03',
				phone: '+1-406-555-0100',
				email: null,
				reason: null
			},
			signal: AbortSignal.timeout(15_000)
		};
		const outcome = await must(connector.book)(order);
		expect(outcome.state).toBe('booked');
		expect(clinic.appointments()).toMatchObject([{ slotId: slot.id, status: 'booked' }]);
		const found = await must(connector.findBooking)(order);
		const joinUrl = found.state === 'booked' ? found.joinUrl : null;
		const person = must(
			clinic.organisation.practitioners.find(({ id }) => id === slot.practitionerId)
		);
		const isOnline = person.visitKinds.some((kind) => kind !== 'phone');
		expect(joinUrl !== null).toBe(isOnline);
		const page = await fetch(joinUrl ?? `${new URL(clinic.url).origin}/visit/nobody`);
		expect(page.status).toBe(isOnline ? 200 : 404);
	}
);
