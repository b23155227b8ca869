// Known bugs of the waiting list, and of the machine that the simulation plays: a model that is
// broken must be noticed too, by its ledger or by the hub beside it.
import type { Mutant } from './mutant.ts';

const waiting = ['tests/scheduling/waiting.pg.test.ts'];
const simulation = ['tests/sim/holds/holds.sim.test.ts'];
const machine = ['tests/scheduling/hold-machine.pg.test.ts'];

export const lineAndMachine: readonly Mutant[] = [
	{
		name: 'last-in-line-asked-first',
		why: 'who joined yesterday is passed by who joined today',
		file: 'domain/waiting.ts',
		find: 'for (const waiter of waiters) {',
		replace: 'for (const waiter of waiters.toReversed()) {',
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	},
	{
		name: 'place-planned-for-everybody',
		why: 'one free time is offered to all in line, and all but one are told it is gone',
		file: 'domain/waiting.ts',
		find: '\t\tif (places === 0) open.splice(at, 1);\n',
		replace: '',
		project: 'unit',
		tests: ['tests/domain/waiting.test.ts'],
		catcher: 'G1'
	},
	{
		name: 'time-let-pass-offered-again',
		why: 'who said no to a time is asked about it every half second',
		file: 'server/store/migrations/065-taken-holds.sql',
		find: 'values (v_entry.id, v_entry.slot_id)\n\t\t\ton conflict do nothing;',
		replace: 'select v_entry.id, v_entry.slot_id where false\n\t\t\ton conflict do nothing;',
		project: 'pg',
		tests: waiting,
		catcher: 'G8'
	},
	{
		name: 'lost-offer-counts-as-unanswered',
		why: 'whose offered time the clinic gave away is asked less often, and then not at all',
		file: 'server/store/migrations/065-taken-holds.sql',
		find: "when h.state = 'expired' and h.is_taken then 'lost'",
		replace: "when h.state = 'expired' and h.is_taken then 'lapsed'",
		project: 'pg',
		tests: waiting,
		catcher: 'H43'
	},
	{
		name: 'two-times-kept-for-one-person',
		why: 'who stands in five lists keeps five times from others',
		file: 'server/store/waiting.ts',
		find: "where o.device_key = e.device_key and o.state = 'offered')",
		replace: "where o.id = e.id and o.state = 'offered')",
		project: 'pg',
		tests: waiting,
		catcher: 'G14'
	},
	{
		name: 'more-time-that-takes-time',
		why: 'who asks for more time on an offer of ten minutes has five left',
		file: 'server/store/migrations/021-extend-hold.sql',
		find: "greatest(v_hold.expires_at, v_now + p_ttl_ms * interval '1 millisecond')",
		replace: "v_now + p_ttl_ms * interval '1 millisecond'",
		project: 'pg',
		tests: machine,
		catcher: 'Z17'
	},
	{
		name: 'hold-let-go-without-its-row-lock',
		why: 'letting go and confirming in one moment leaves a booking without its claim',
		file: 'server/store/make-booking.ts',
		find: '\n\t\tfor update of h`;',
		replace: '`;',
		project: 'pg',
		tests: machine,
		catcher: 'Z18'
	},
	{
		name: 'machine-lives-one-moment-longer',
		why: 'a model whose holds end a millisecond late would hide the same bug in the hub',
		file: 'tests/sim/holds/holds.ts',
		find: 'isHoldLive({ expiresAt: toInstant(until) }, toInstant(now));',
		replace: 'isHoldLive({ expiresAt: toInstant(until) }, toInstant(now - 1));',
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	},
	{
		name: 'machine-forgets-requests',
		why: 'a model in which a double tap holds twice would not see it in the hub',
		file: 'tests/sim/holds/holds.ts',
		find: '\tdevice.requests.set(asked.request, { print, hold });\n',
		replace: '',
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	},
	{
		name: 'machine-confirms-after-the-end',
		why: 'a model that books what somebody else holds by now would prove nothing',
		file: 'tests/sim/holds/bookings.ts',
		find: "\treturn isLive(hold.expiresAt, now) ? null : 'hold_expired';",
		replace: "\treturn now < 0 ? 'hold_expired' : null;",
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	},
	{
		name: 'machine-keeps-a-time-for-ever',
		why: 'a model in which a booking of several places wedges one would not see it in the hub',
		file: 'tests/sim/holds/bookings.ts',
		find: '\tif (isKnown || !exclusive) return dropClaim',
		replace: '\tif (isKnown) return dropClaim',
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	},
	{
		name: 'machine-believes-the-overtaken',
		why: 'the bug that the simulation found in the hub: a visit at the clinic that nobody knows of',
		file: 'tests/sim/holds/bookings.ts',
		find: 'booking.attempts !== asking.attempts || booking.round !== asking.round;',
		replace: 'booking.attempts < asking.attempts;',
		project: 'sim',
		tests: simulation,
		catcher: 'Z15'
	}
];
