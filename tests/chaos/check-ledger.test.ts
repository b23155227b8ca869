// The checker must notice what it is there for: one history that is right, and one for every way of
// being wrong.
import { expect, test } from 'vitest';
import { checkLedger } from './check-ledger.ts';
import type { Attempt, ClinicAppointment, History, LedgerBooking, LedgerHold } from './history.ts';

const OFFSET = 1_000_000;

const attempt = (over: Partial<Attempt> = {}): Attempt => ({
	op: 'hold',
	device: 'ana',
	slotId: 1,
	key: 'k1',
	holdId: null,
	sentAt: 0,
	answeredAt: 10,
	outcome: 'ok',
	reason: null,
	answer: { id: 'h1', fence: 1, ttlMs: 1_000, state: 'held' },
	...over
});

const hold = (over: Partial<LedgerHold> = {}): LedgerHold => ({
	id: 'h1',
	slotId: 1,
	fence: 1,
	device: 'ana',
	state: 'booked',
	placedAt: OFFSET + 5,
	endedAt: OFFSET + 150,
	keys: ['k1'],
	...over
});

const booking = (over: Partial<LedgerBooking> = {}): LedgerBooking => ({
	id: 'b1',
	holdId: 'h1',
	slotId: 1,
	device: 'ana',
	state: 'booked',
	keys: ['c1'],
	...over
});

const appointment = (over: Partial<ClinicAppointment> = {}): ClinicAppointment => ({
	slotId: 1,
	bookingId: 'b1',
	isCancelled: false,
	...over
});

const confirmation = attempt({
	op: 'confirm',
	key: 'c1',
	holdId: 'h1',
	sentAt: 100,
	answeredAt: 120,
	answer: { id: 'b1', fence: null, ttlMs: null, state: 'confirming' }
});

const second = {
	asked: attempt({
		device: 'ben',
		key: 'k2',
		sentAt: 50,
		answeredAt: 60,
		answer: { id: 'h2', fence: 2, ttlMs: 1_000, state: 'held' }
	}),
	held: hold({ id: 'h2', device: 'ben', fence: 2, state: 'expired', keys: ['k2'] })
};

/** Ana holds slot 1 and books it; all agree. */
const history = (over: Partial<History> = {}): History => ({
	attempts: [attempt(), confirmation],
	holds: [hold()],
	bookings: [booking()],
	appointments: [appointment()],
	places: new Map([[1, 1]]),
	clockOffsetMs: OFFSET,
	...over
});

test('[Z14] a history in which all agree is valid, and what happened is counted', () => {
	const expiries = new Map([['h1', OFFSET + 122]]);
	const { violations, counts } = checkLedger(history(), expiries);
	expect(violations).toEqual([]);
	expect(counts).toMatchObject({ attempts: 2, granted: 1, booked: 1, expiryRaces: 1 });
	expect(checkLedger(history(), new Map([['h1', OFFSET + 200]])).counts.expiryRaces).toBe(0);
});

const wrong: Readonly<Record<string, readonly [History, RegExp]>> = {
	'a hold nobody asked for': [history({ attempts: [confirmation] }), /asked for by nobody/],
	'a hold without a cause': [history({ holds: [hold({ keys: [] })] }), /0 causes/],
	'one request granted twice': [
		history({ holds: [hold(), hold({ id: 'h9', slotId: 2, state: 'expired' })] }),
		/granted twice/
	],
	'a fence given twice': [
		history({
			attempts: [attempt(), confirmation, second.asked],
			holds: [hold(), { ...second.held, fence: 1, placedAt: OFFSET + 900, endedAt: OFFSET + 950 }]
		}),
		/fence 1 twice/
	],
	'fences out of order': [
		history({
			attempts: [attempt(), confirmation, second.asked],
			holds: [hold(), { ...second.held, placedAt: OFFSET, endedAt: OFFSET + 2 }]
		}),
		/out of order/
	],
	'two claims at once in the tables': [
		history({
			attempts: [attempt(), second.asked],
			holds: [
				hold({ state: 'expired', endedAt: OFFSET + 1_000 }),
				{ ...second.held, placedAt: OFFSET + 55, endedAt: OFFSET + 90 }
			],
			bookings: [],
			appointments: []
		}),
		/held at once by h1 and h2/
	],
	'two patients promised one time, whatever the tables say': [
		history({
			attempts: [attempt(), second.asked],
			holds: [
				hold({ state: 'released', endedAt: OFFSET + 40 }),
				{ ...second.held, placedAt: OFFSET + 55, endedAt: OFFSET + 90 }
			],
			bookings: [],
			appointments: []
		}),
		/promised at once/
	],
	'an acknowledged booking that is gone': [
		history({ bookings: [], appointments: [] }),
		/acknowledged and is lost/
	],
	'a booking that changed hands': [
		history({ bookings: [booking({ device: 'ben' })] }),
		/somebody else/
	],
	'a booking nobody asked for': [
		history({ attempts: [attempt()] }),
		/booking b1 was asked for by nobody/
	],
	'a booking that is never settled': [
		history({ bookings: [booking({ state: 'unconfirmed' })] }),
		/left unconfirmed/
	],
	'two appointments for one booking': [
		history({ appointments: [appointment({ isCancelled: true }), appointment()] }),
		/2 appointments/
	],
	'an appointment whose booking was refused': [
		history({ bookings: [booking({ state: 'rejected' })] }),
		/stands at the clinic and is rejected/
	],
	'a booking the clinic knows nothing of': [history({ appointments: [] }), /not at the clinic/],
	'one time booked twice at the clinic': [
		history({ appointments: [appointment(), appointment({ bookingId: null })] }),
		/booked twice/
	],
	'a refusal that took effect': [
		history({
			attempts: [attempt({ outcome: 'refused', reason: 'slot_taken', answer: null }), confirmation]
		}),
		/refused and granted/
	]
};

test.each(Object.entries(wrong))('[Z14] the checker notices %s', (_name, [broken, words]) => {
	const { violations } = checkLedger(broken);
	expect(violations.some((line) => words.test(line))).toBe(true);
});

test('[Z14] a certain hold ends with the answer to letting go, extending makes it longer', () => {
	const released = attempt({
		op: 'release',
		holdId: 'h1',
		sentAt: 40,
		answeredAt: 45,
		answer: null
	});
	const holds = [
		hold({ state: 'released', endedAt: OFFSET + 42 }),
		{ ...second.held, placedAt: OFFSET + 55, endedAt: OFFSET + 1_055 }
	];
	const rest = { holds, bookings: [], appointments: [] };
	expect(
		checkLedger(history({ attempts: [attempt(), released, second.asked], ...rest })).violations
	).toEqual([]);
	const extended = attempt({
		op: 'extend',
		holdId: 'h1',
		sentAt: 900,
		answeredAt: 910,
		answer: { id: 'h1', fence: 1, ttlMs: 1_000, state: 'held' }
	});
	const late = { ...second.asked, sentAt: 1_500, answeredAt: 1_510 };
	const both = history({ attempts: [attempt(), extended, late], ...rest });
	expect(checkLedger(both).violations.join()).toMatch(/promised at once/);
});

test('[Z14] a refusal that nothing explains is counted', () => {
	const refused = attempt({
		key: 'k3',
		outcome: 'refused',
		reason: 'slot_taken',
		answer: null,
		sentAt: 5_000,
		answeredAt: 5_010
	});
	const free = { holds: [hold({ state: 'released' })], bookings: [], appointments: [] };
	const alone = checkLedger(history({ attempts: [attempt(), refused], ...free }));
	expect(alone.counts.falseRefusals).toBe(1);
	const early = { ...refused, sentAt: 20, answeredAt: 30 };
	const held = checkLedger(history({ attempts: [attempt(), early], ...free }));
	expect(held.counts.falseRefusals).toBe(0);
});
