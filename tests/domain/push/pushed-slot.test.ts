import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decidePushed, readPushedSlot, type Known } from '#domain/push/pushed-slot.ts';
import { parseNotification } from '#domain/push/notification.ts';
import { must } from '#domain/result.ts';
import { toInstant } from '#domain/time.ts';
import { createDirectory } from '#workers/connectors/providers/directory.ts';
import { createSlotReader } from '#workers/connectors/providers/slot-facts.ts';
import { makeFact } from '../../store/poll-world.ts';

const slotJson = (over: Record<string, unknown> = {}) => ({
	resourceType: 'Slot',
	id: 's1',
	meta: { versionId: '5', lastUpdated: '2026-11-20T10:00:05.000Z' },
	schedule: { reference: 'Schedule/a' },
	status: 'busy',
	start: '2026-12-01T10:00:00-07:00',
	end: '2026-12-01T10:15:00-07:00',
	...over
});

const updatedAt = Date.parse('2026-11-20T10:00:05.000Z');
const pushed = (over: Record<string, unknown> = {}) => must(readPushedSlot(slotJson(over)));

const known = (version: string, over: Partial<Known> = {}): Known => ({
	fact: makeFact(1, { version, bookUrl: 'https://clinic.example/book' }),
	listedAt: null,
	toldAt: null,
	...over
});

/** A poll's reader, that knows nothing but the slot. */
const context = { directory: createDirectory([]), schedules: new Map(), notes: {} };

test('[Y14] of a slot nothing is read but when it is and whether it is free', () => {
	const slot = pushed({
		comment: 'Zyxandra Canaryson asked for this',
		text: { div: 'Zyxandra' },
		contained: [{ resourceType: 'Patient', name: 'Zyxandra' }],
		extension: [{ url: 'x', valueString: 'Zyxandra' }]
	});
	expect(JSON.stringify(slot)).not.toContain('Zyxandra');
	expect(slot).toMatchObject({
		id: 's1',
		schedule: 'a',
		status: 'busy',
		isPlain: false,
		updatedAt
	});
});

test('[Y6] what is no slot, or none that is understood, is not taken for one', () => {
	for (const over of [
		{ resourceType: 'Appointment' },
		{ status: 'perhaps' },
		{ start: 'tomorrow' },
		{ start: '2026-12-01T10:00:00' },
		{ end: '2026-12-01T10:00:00-07:00' },
		{ schedule: { reference: 'Practitioner/a' } },
		{ id: '' }
	]) {
		expect(readPushedSlot(slotJson(over))).toBeNull();
	}
});

test('[Y7] versions that are numbers decide: newer is written, equal and older is out of date', () => {
	expect(decidePushed(pushed(), known('4'))).toMatchObject({
		kind: 'apply',
		fact: { status: 'busy', remaining: 0, version: '5', bookUrl: 'https://clinic.example/book' }
	});
	expect(decidePushed(pushed(), known('5')).kind).toBe('out_of_date');
	expect(decidePushed(pushed(), known('10')).kind).toBe('out_of_date');
});

test('[Y7] without such versions the source’s own times decide, and within one second nobody does', () => {
	const at = (ms: number) => decidePushed(pushed(), known('abc', { listedAt: toInstant(ms) })).kind;
	expect(at(updatedAt - 1_001)).toBe('apply');
	expect(at(updatedAt - 1_000)).toBe('unsure');
	expect(at(updatedAt)).toBe('unsure');
	expect(at(updatedAt + 1)).toBe('out_of_date');
	const toldAt = toInstant(updatedAt);
	expect(decidePushed(pushed(), known('abc', { listedAt: toInstant(0), toldAt })).kind).toBe(
		'out_of_date'
	);
	expect(decidePushed(pushed({ meta: undefined }), known('4')).kind).toBe('unsure');
});

test('[Y6] a new slot is written when nothing else is said of it', () => {
	const listedAt = toInstant(0);
	const none = { fact: null, listedAt, toldAt: null };
	expect(decidePushed(pushed({ status: 'free' }), none)).toMatchObject({
		kind: 'apply',
		fact: { scheduleKey: 'a', status: 'free', remaining: 1, capacity: 1, sourceSlotId: 's1' }
	});
	expect(decidePushed(pushed({ extension: [{ url: 'x' }] }), none).kind).toBe('unsure');
	expect(decidePushed(pushed({ extension: [places(3), { url: 'x' }] }), none).kind).toBe('unsure');
});

const capacityUrl = 'http://fhir-registry.smarthealthit.org/StructureDefinition/slot-capacity';
const places = (count: unknown, as = 'valueInteger') => ({ url: capacityUrl, [as]: count });

test.each([
	['a new one', null, { status: 'free', extension: [places(3)] }, { capacity: 3, remaining: 3 }],
	[
		'in digits',
		null,
		{ status: 'free', extension: [places(' 3', 'valueString')] },
		{ remaining: 3 }
	],
	['fewer left', 5, { status: 'free', extension: [places(2)] }, { capacity: 2, remaining: 2 }],
	['several now', 1, { status: 'free', extension: [places(4)] }, { capacity: 4, remaining: 4 }],
	['none left', 5, { status: 'free', extension: [places(0)] }, { capacity: 1, remaining: 0 }],
	['taken', 5, { status: 'busy', extension: [places(5)] }, { capacity: 5, remaining: 0 }],
	['taken, and no word of places', 5, { status: 'busy' }, { capacity: 1, remaining: 0 }]
])(
	'[U40] places told with a slot are written as a poll would read them: %s',
	(_, capacity, over, fact) => {
		const listedAt = toInstant(0);
		const before =
			capacity === null ? null : makeFact(1, { version: '4', capacity, remaining: capacity });
		const decision = decidePushed(pushed(over), { fact: before, listedAt, toldAt: null });
		expect(decision).toMatchObject({ kind: 'apply', fact });
		const [record] = [{ ...slotJson(over), schedule: { reference: 'Schedule/a' } }];
		const read = createSlotReader(context, 'file').read(record);
		const polled = read.kind === 'slot' ? read.fact : null;
		const { capacity: most, remaining, status } = must(polled);
		expect(decision).toMatchObject({ fact: { capacity: most, remaining, status } });
	}
);

test.each([
	['free, and no word of places', { status: 'free' }],
	['an odd number', { status: 'free', extension: [places('many', 'valueString')] }],
	['two numbers', { status: 'free', extension: [places(1), places(2)] }],
	['less than none', { status: 'free', extension: [places(-1)] }]
])('[U40] what says nothing certain of several places is left to a poll: %s', (_, over) => {
	const many = { ...known('4'), fact: makeFact(1, { version: '4', capacity: 3, remaining: 3 }) };
	expect(decidePushed(pushed(over), many).kind).toBe('unsure');
});

test('[U40] the newest word on places is what is left, in whatever order it comes', () => {
	fc.assert(
		fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 1 }), (versions) => {
			let fact = makeFact(1, { version: '0', capacity: 9, remaining: 9 });
			for (const version of versions) {
				const meta = { versionId: String(version) };
				const told = pushed({ meta, status: 'free', extension: [places(version)] });
				const decision = decidePushed(told, { ...known('0'), fact });
				if (decision.kind === 'apply') ({ fact } = decision);
			}
			expect(fact.remaining).toBe(Math.max(...versions));
		})
	);
});

test('[Y7] in whatever order versions come, the newest is what is left', () => {
	fc.assert(
		fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8], { minLength: 1 }), (versions) => {
			let fact = makeFact(1, { version: '0' });
			for (const version of versions) {
				const status = version % 2 === 0 ? 'free' : 'busy';
				const meta = { versionId: String(version) };
				const decision = decidePushed(pushed({ meta, status }), { ...known('0'), fact });
				if (decision.kind === 'apply') ({ fact } = decision);
			}
			const newest = Math.max(...versions);
			expect(fact.version).toBe(String(newest));
			expect(fact.status).toBe(newest % 2 === 0 ? 'free' : 'busy');
		})
	);
});

const r4 = (parameters: readonly unknown[], entries: readonly unknown[] = []) => ({
	resourceType: 'Bundle',
	type: 'history',
	entry: [{ resource: { resourceType: 'Parameters', parameter: parameters } }, ...entries]
});

const r4Event = r4(
	[
		{
			name: 'subscription',
			valueReference: { reference: 'https://p.example/fhir/Subscription/9' }
		},
		{ name: 'status', valueCode: 'active' },
		{ name: 'type', valueCode: 'event-notification' },
		{ name: 'events-since-subscription-start', valueString: '310' },
		{ name: 'notification-event', part: [{ name: 'event-number', valueString: '310' }] }
	],
	[{ resource: slotJson() }, { fullUrl: 'x' }, { resource: { resourceType: 'Patient', id: 'p' } }]
);

const r5Event = {
	resourceType: 'Bundle',
	type: 'subscription-notification',
	entry: [
		{
			resource: {
				resourceType: 'SubscriptionStatus',
				subscription: { reference: 'Subscription/9' },
				status: 'active',
				type: 'event-notification',
				eventsSinceSubscriptionStart: 310,
				notificationEvent: [{ eventNumber: '310', focus: { reference: 'Slot/s1' } }]
			}
		},
		{ resource: slotJson() }
	]
};

test('[Y5] the R4 backport and R5 say the same', () => {
	const read = parseNotification(r4Event);
	expect(read).toMatchObject({
		subscription: '9',
		status: 'active',
		type: 'event-notification',
		eventsSinceStart: 310,
		events: [310]
	});
	expect(read?.slots.map(({ id }) => id)).toEqual(['s1']);
	expect(parseNotification(r5Event)).toEqual(read);
});

test('[Y5] what is no notification is refused, whatever it is', () => {
	fc.assert(
		fc.property(fc.anything(), (body) => {
			expect(parseNotification(body)).toBeNull();
		})
	);
	for (const wrong of [
		{ ...r4Event, resourceType: 'List' },
		{ ...r4Event, entry: [] },
		{ ...r4Event, entry: [{}] },
		r4([{ name: 'status', valueCode: 'active' }]),
		{ ...r5Event, entry: [{ resource: slotJson() }] }
	]) {
		expect(parseNotification(wrong)).toBeNull();
	}
});
