// What the browser tests look at: simulated clinics, workers and a hub, and one search among them
// that has many open times.
import { findRegion } from '#domain/codes.ts';
import { SLOTS_PER_SCHEDULE } from '#domain/board.ts';
import type { SlotId, SourceId } from '#domain/ids.ts';
import { must } from '#domain/result.ts';
import { HOUR_MS } from '#domain/time.ts';
import { signLink, type LinkClaims } from '#server/http/links.ts';
import type { RunningClinic } from '../../demo/clinics/start.ts';
import { mustClose } from '../support/leaks.ts';
import { startSystem, type HubProcess, type System } from '../support/system.ts';
import type { TestProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

const LINK_KEY = Buffer.alloc(32, 9);

export type Town = {
	readonly system: System;
	readonly hub: HubProcess;
	readonly workers: TestProcess;
	readonly clinic: RunningClinic;
	readonly sourceId: SourceId;
	/** `specialty=…&region=…` of the search whose board shows the most times. */
	readonly search: string;
	readonly board: string;
	/** An address that opens a staff page. */
	linkOf(claims: { readonly role: 'clinic' | 'operator' }): string;
	/** What the clinic itself calls one of our slots. */
	clinicSlotOf(slotId: number): Promise<string>;
	/** Open slots of the board's search, soonest first, as the hub has them. */
	openSlots(): Promise<readonly SlotId[]>;
	close(): Promise<void>;
};

type Crowded = { readonly specialty: string; readonly region: string; readonly open: number };

const crowdedSearch = async ({ database }: System): Promise<Crowded | undefined> => {
	const [found] = await database.sql<Crowded[]>`
		select specialty, region, sum(least(open, ${SLOTS_PER_SCHEDULE}))::int as open from (
			select c.id, sp as specialty, rg as region, count(*)::int as open
			from schedules c
			cross join unnest(c.specialty_ids) sp cross join unnest(c.regions) rg
			join slots s on s.schedule_id = c.id
			where s.status = 'free' and s.remaining > 0 and s.removed_at is null
				and s.starts_at > clock_timestamp()
			group by 1, 2, 3
		) each group by 1, 2 order by 3 desc, 1, 2 limit 1`;
	return found;
};

/** Every source answered once. */
const isPolled = async ({ database }: System): Promise<boolean> => {
	const [row] = await database.sql<{ silent: number }[]>`
		select count(*)::int as silent from sources where checked_at is null`;
	return row?.silent === 0;
};

export type TownOptions = {
	/** A key of demo/clinics/profiles.ts, or `all` of them. */
	readonly clinic?: string;
	readonly slotCount?: number;
};

export const startTown = async ({
	clinic: key = 'prairie-lantern',
	slotCount = 400
}: TownOptions = {}): Promise<Town & AsyncDisposable> => {
	const system = await startSystem({
		...(key === 'all' ? {} : { keys: [key] }),
		slotCount,
		minIntervalMs: 300,
		env: { HUB_LINK_KEY: LINK_KEY.toString('base64') }
	});
	const [hub, workers] = await Promise.all([system.startHub(), system.startWorkers()]);
	await until(() => isPolled(system), { timeoutMs: 60_000 });
	const crowded = must(await crowdedSearch(system), 'an open time');
	const search = new URLSearchParams({
		specialty: crowded.specialty,
		region: must(findRegion(crowded.region), 'region').code
	}).toString();
	const clinic = must(system.clinics.clinics[0], 'clinic');
	const sourceId = must(system.sourceIds.get(clinic.key), clinic.key);
	return mustClose('town', {
		system,
		hub,
		workers,
		clinic,
		sourceId,
		search,
		board: `${hub.url}/board?${search}`,
		linkOf: ({ role }: { readonly role: 'clinic' | 'operator' }) => {
			const exp = Date.now() + HOUR_MS;
			const claims: LinkClaims = role === 'clinic' ? { role, sourceId, exp } : { role, exp };
			return `${hub.url}/enter?token=${signLink(LINK_KEY, claims)}`;
		},
		clinicSlotOf: async (slotId: number) => {
			const [row] = await system.database.sql<{ id: string }[]>`
				select source_slot_id as id from slots where id = ${slotId}`;
			return must(row, 'slot').id;
		},
		openSlots: async () => {
			const rows = await system.database.sql<{ id: SlotId }[]>`
				select s.id from slots s join schedules c on c.id = s.schedule_id
				where ${crowded.specialty} = any (c.specialty_ids)
					and ${crowded.region} = any (c.regions)
					and s.status = 'free' and s.removed_at is null and s.claim_untils = '{}'
					and s.starts_at > clock_timestamp()
				order by s.starts_at, s.id`;
			return rows.map(({ id }) => id);
		},
		close: () => system.close()
	});
};

/** What a patient types. Invented. */
export const rosa = {
	givenName: 'Rosa',
	familyName: 'Martin',
	bornOn: '1961-05-23',
	phone: '406-555-0134',
	reason: 'An itchy rash'
};
