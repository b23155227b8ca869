// Known bugs of holds, bookings, patient data and alerts.
import type { Mutant } from './mutant.ts';

const holdsSql = 'server/store/migrations/010-holds.sql';
const placing = ['tests/scheduling/place-hold.pg.test.ts'];
const confirming = ['tests/scheduling/confirm-booking.pg.test.ts'];
const patientSql = 'server/store/migrations/011-patient-data.sql';
const patients = ['tests/store/patients.pg.test.ts'];

export const holdsAndPatients: readonly Mutant[] = [
	{
		name: 'hold-lives-one-moment-longer',
		why: 'at the very end of a hold the place is refused to the next person',
		file: holdsSql,
		find: 'where claim.until > p_at',
		replace: 'where claim.until >= p_at',
		project: 'pg',
		tests: placing,
		catcher: 'H1'
	},
	{
		name: 'expiry-by-the-hubs-clock',
		why: 'a hub whose clock is wrong takes holds away early, or never ends them',
		file: 'server/store/holds.ts',
		find: "to_timestamp(${at}::double precision / 1000))`;\n\tif (row === undefined) throw new Error('place_hold",
		replace:
			"to_timestamp(${at ?? Date.now()}::double precision / 1000))`;\n\tif (row === undefined) throw new Error('place_hold",
		project: 'pg',
		tests: placing,
		catcher: 'H16'
	},
	{
		name: 'hold-without-looking',
		why: 'two people hold, and then book, the same time',
		file: holdsSql,
		find: '\n\t\tand live_claims(s.claim_untils, v_now) < s.remaining',
		replace: '',
		project: 'pg',
		tests: ['tests/scheduling/crowded-holds.pg.test.ts'],
		catcher: 'H5'
	},
	{
		name: 'device-limit-read-without-a-lock',
		why: 'fifty requests at once take fifty times off the board',
		file: holdsSql,
		find: '\tperform pg_advisory_xact_lock(hashtextextended(p_device, 1));',
		replace: '',
		project: 'pg',
		tests: placing,
		catcher: 'H3'
	},
	{
		name: 'release-tells-nobody',
		why: 'the outbox is skipped on one path: a time let go stays held on every screen',
		file: holdsSql,
		find: 'entries := log_held_slot(v_slot, false);',
		replace: "entries := '[]';",
		project: 'pg',
		tests: ['tests/scheduling/hold-ledger.pg.test.ts', 'tests/scheduling/hold-model.pg.test.ts'],
		catcher: 'H12'
	},
	{
		name: 'sweep-frees-nothing',
		why: 'a hold that ran out keeps its time off the board',
		file: 'server/store/migrations/065-taken-holds.sql',
		find: '\t\tv_slots := v_slots || v_hold.slot_id;\n',
		replace: '',
		project: 'pg',
		tests: ['tests/scheduling/expire-holds.pg.test.ts'],
		catcher: 'H11'
	},
	{
		name: 'sweep-tells-no-screen',
		why: 'the sweep writes its entries but publishes none',
		file: 'server/scheduling/expire-holds.ts',
		find: '\t\tif (entries.length > 0) publish(entries);\n',
		replace: '',
		project: 'pg',
		tests: ['tests/scheduling/expire-holds.pg.test.ts'],
		catcher: 'H11'
	},
	{
		name: 'confirm-without-fence',
		why: 'whoever overslept their hold books the place of the next person',
		file: 'server/store/make-booking.ts',
		find: ' and ${hold.fence} = any (s.claim_fences)',
		replace: '',
		project: 'pg',
		tests: confirming,
		catcher: 'K2'
	},
	{
		name: 'hold-confirmed-after-its-end',
		why: 'a place that everybody sees free again is booked by whoever had it before',
		file: 'server/store/confirm-hold.ts',
		find: "hold.state === 'expired' || (hold.state === 'held' && hold.isOver)",
		replace: "hold.state === 'expired'",
		project: 'pg',
		tests: confirming,
		catcher: 'K2'
	},
	{
		name: 'booking-told-to-no-console',
		why: 'the clinic does not see a booking arrive',
		file: 'server/scheduling/confirm-booking.ts',
		find: '\t\tif (entries.length > 0) publish(entries);\n',
		replace: '',
		project: 'pg',
		tests: confirming,
		catcher: 'K2'
	},
	{
		name: 'request-reused-for-other-words',
		why: "a second patient's form is answered with the first one's booking",
		file: 'server/store/confirm-hold.ts',
		find: 'before !== null && !phi.matches(before.fingerprint, textOf(asked.command))',
		replace: 'before !== null && before.fingerprint.length < 0',
		project: 'pg',
		tests: confirming,
		catcher: 'K3'
	},
	{
		name: 'no-constraint-below-the-holds',
		why: 'two bookings of one practitioner overlap',
		file: 'server/store/migrations/001-hub.sql',
		find: "where (exclusive and state in ('confirming', 'unconfirmed', 'booked'));",
		replace: 'where (false);',
		project: 'pg',
		tests: confirming,
		catcher: 'K4'
	},
	{
		name: 'request-not-remembered',
		why: 'a double tap books twice',
		file: holdsSql,
		find: "\tvalues (p_device, p_request, v_asked, jsonb_build_object('id', hold_id))",
		replace: "\tvalues (p_device, gen_random_uuid(), v_asked, jsonb_build_object('id', hold_id))",
		project: 'pg',
		tests: placing,
		catcher: 'H7'
	},
	{
		name: 'commit-not-on-disk',
		why: 'synchronous_commit=off: a hold that was told is gone after a crash, and given again',
		file: 'server/platform/postgres.ts',
		find: '\t\tapplication_name: options.applicationName,\n',
		replace:
			"\t\tapplication_name: options.applicationName,\n\t\tsynchronous_commit: 'off' as const,\n",
		project: 'pg',
		tests: ['tests/scheduling/promise-kept.pg.test.ts'],
		catcher: 'Z19'
	},
	{
		name: 'request-in-a-second-transaction',
		why: 'a crash between the two leaves an effect whose request is unknown, or the other way round',
		file: 'server/store/cancel-booking.ts',
		find: 'await keepRequest(tx, device, requestId, { fingerprint, reply: { id: bookingId } });',
		replace:
			'await sql.begin((apart) => keepRequest(apart, device, requestId, { fingerprint, reply: { id: bookingId } }));',
		project: 'pg',
		tests: ['tests/scheduling/promise-kept.pg.test.ts'],
		catcher: 'H41'
	},
	{
		name: 'overtaken-worker-settles',
		why: 'a refusal heard before a long stop overwrites the booking made meanwhile, which nobody knows of',
		file: 'server/store/bookings.ts',
		find: '(attempts = ${asking.attempts}\n\t\t\tand',
		replace: '(attempts >= ${asking.attempts}\n\t\t\tand',
		project: 'pg',
		tests: ['tests/store/bookings.pg.test.ts'],
		catcher: 'H40'
	},
	{
		name: 'retry-books-without-asking',
		why: 'an answer lost on the way becomes a second appointment at the clinic',
		file: 'workers/jobs/write-booking.ts',
		find: '\tif (isRepeat) {',
		replace: '\tif (isRepeat && stored.attempts < 0) {',
		project: 'unit',
		tests: ['tests/workers/jobs/write-booking.test.ts'],
		catcher: 'W14'
	},
	{
		name: 'link-of-any-scheme',
		why: "a publisher's javascript: link runs in the patient's page",
		file: 'server/scheduling/hand-over-url.ts',
		find: "\tif (url.protocol !== 'https:' && url.protocol !== 'http:') return null;\n",
		replace: '',
		project: 'unit',
		tests: ['tests/scheduling/hand-over-url.test.ts'],
		catcher: 'K6'
	},
	{
		name: 'sealed-without-row',
		why: "one patient's details can be put into another's row unnoticed",
		file: 'server/platform/phi.ts',
		find: 'p.column, p.row, p.patient',
		replace: 'p.column, p.patient',
		project: 'unit',
		tests: ['tests/platform/phi.test.ts'],
		catcher: 'P2'
	},
	{
		name: 'row-security-not-forced',
		why: "the owner of the tables reads everybody's details without saying who asks",
		file: patientSql,
		find: 'alter table patients force row level security;',
		replace: '',
		project: 'pg',
		tests: patients,
		catcher: 'P5'
	},
	{
		name: 'reading-leaves-no-trace',
		why: 'who looked at whose details cannot be told any more',
		file: 'server/store/patients.ts',
		find: "\tif (found.size > 0) await appendAudit(tx, actor, 'patient_read', [...found.keys()]);\n",
		replace: '',
		project: 'pg',
		tests: patients,
		catcher: 'P7'
	},
	{
		name: 'shredded-with-its-key-kept',
		why: 'a backup brings back what a patient wanted gone',
		file: 'server/store/patients.ts',
		find: "set wrapped_key = '', details = ''",
		replace: "set details = ''",
		project: 'pg',
		tests: patients,
		catcher: 'P6'
	},
	{
		name: 'audit-not-chained',
		why: 'rows of the audit can be taken out unnoticed',
		file: patientSql,
		find: "v_previous := coalesce(v_last.hash, '\\x');",
		replace: "v_previous := '\\x';",
		project: 'pg',
		tests: patients,
		catcher: 'P8'
	},
	{
		name: 'audit-links-not-checked',
		why: 'a row whose own hash was made anew passes for the old one',
		file: 'server/store/audit.ts',
		find: ' && hex(row.previousHash) === head.hash',
		replace: '',
		project: 'pg',
		tests: patients,
		catcher: 'P8'
	},
	{
		name: 'audit-cut-off-unnoticed',
		why: 'who holds the database takes the newest rows of the audit away',
		file: 'workers/jobs/upkeep.ts',
		find: 'verifyAudit(sql, await lastAuditHead(sql))',
		replace: 'verifyAudit(sql)',
		project: 'pg',
		tests: ['tests/workers/jobs/upkeep.pg.test.ts'],
		catcher: 'P8'
	},
	{
		name: 'fault-logged-with-its-words',
		why: 'a driver quotes the row it choked on, and a name stands in the log',
		file: 'server/platform/log.ts',
		find: 'error instanceof Error ? error.name : typeof error',
		replace: 'error instanceof Error ? error.message : typeof error',
		project: 'unit',
		tests: ['tests/platform/log.test.ts'],
		catcher: 'S30'
	},
	{
		name: 'alert-on-the-first-look',
		why: 'a new clinic rings everybody for times that were open all along',
		file: 'server/scheduling/raise-alerts.ts',
		find: 'leftBefore !== null && decideOpened(leftBefore, left, newlyOpen)',
		replace: 'decideOpened(leftBefore ?? 0, left, left)',
		project: 'pg',
		tests: ['tests/scheduling/raise-alerts.pg.test.ts'],
		catcher: 'L4'
	},
	{
		name: 'alert-after-an-error',
		why: 'a calendar that could not be read rings people when it is back',
		file: 'server/scheduling/raise-alerts.ts',
		find: '.filter((s) => s.isComplete)',
		replace: '',
		project: 'pg',
		tests: ['tests/scheduling/raise-alerts.pg.test.ts'],
		catcher: 'L4'
	},
	{
		name: 'notice-told-before-it-is-kept',
		why: 'a phone that was not reached never finds what it was to be told',
		file: 'server/scheduling/raise-alerts.ts',
		find: 'return await raiseNotices(tx, raised);',
		replace: 'return raised;',
		project: 'pg',
		tests: ['tests/scheduling/raise-alerts.pg.test.ts'],
		catcher: 'L2'
	},
	{
		name: 'notice-told-to-every-subscription',
		why: 'one person is rung twice for the same thing',
		file: 'server/scheduling/raise-alerts.ts',
		find: 'told.has(deviceKey) || ',
		replace: '',
		project: 'pg',
		tests: ['tests/scheduling/raise-alerts.pg.test.ts'],
		catcher: 'L3'
	},
	{
		name: 'taken-hold-lives-on',
		why: 'a patient types for minutes at a time that somebody has booked at the clinic',
		file: 'server/store/migrations/065-taken-holds.sql',
		find: "or p_slot.status in ('busy', 'busy-unavailable', 'entered-in-error')",
		replace: "or p_slot.status in ('entered-in-error')",
		project: 'pg',
		tests: ['tests/scheduling/expire-holds.pg.test.ts'],
		catcher: 'H43'
	},
	{
		name: 'closed-time-is-held',
		why: 'patients book whom the clinic has taken off',
		file: 'server/store/migrations/062-hidden-times.sql',
		find: 'and (s.starts_at - o.min_notice <= v_now or c.hidden @> s.starts_at);',
		replace: 'and s.starts_at - o.min_notice <= v_now;',
		project: 'pg',
		tests: ['tests/scheduling/commands.pg.test.ts'],
		catcher: 'Z20'
	},
	{
		name: 'closed-time-is-told',
		why: 'a hold that ends, or a poll, puts a closed time back on every board',
		file: 'server/store/migrations/062-hidden-times.sql',
		find: 'if v_state = 1 and exists (',
		replace: 'if v_state = 99 and exists (',
		project: 'pg',
		tests: ['tests/scheduling/closings.pg.test.ts'],
		catcher: 'K25'
	},
	{
		name: 'one-visit-too-many',
		why: 'the limit of a person is one higher than it says',
		file: 'server/store/person-limit.ts',
		find: '(row?.count ?? 0) >= most',
		replace: '(row?.count ?? 0) > most',
		project: 'pg',
		tests: ['tests/scheduling/person-limit.pg.test.ts'],
		catcher: 'H42'
	},
	{
		name: 'twins-across-clinics',
		why: 'of somebody who works at two clinics one vanishes',
		file: 'domain/twins.ts',
		find: 'isNpiSame && lettersOf(a.organizationName) === lettersOf(b.organizationName)',
		replace: 'isNpiSame',
		project: 'unit',
		tests: ['tests/domain/twins.test.ts'],
		catcher: 'E20'
	},
	{
		name: 'one-clinic-takes-every-place',
		why: 'a clinic that hangs keeps everybody waiting who books anywhere else',
		file: 'workers/jobs/source-places.ts',
		find: '\t\t\tif (taken >= most) return null;\n',
		replace: '',
		project: 'unit',
		tests: ['tests/workers/jobs/write-booking.test.ts'],
		catcher: 'W49'
	},
	{
		name: 'loop-waits-for-the-slowest-clinic',
		why: 'after an outage hundreds of bookings wait for one clinic that does not answer',
		file: 'workers/jobs/due-bookings.ts',
		find: '\t\t\tif (!isClosing) take().catch(() => {});\n',
		replace: '',
		project: 'unit',
		tests: ['tests/workers/jobs/due-bookings.test.ts'],
		catcher: 'W48'
	}
];
