// The practice as three vendors would tell of it: JSON in pages with wall times, GraphQL with a
// cursor, and CSV.
import { z } from 'zod';
import type { Ask, Handler, Reply } from '../exchange.ts';
import { offsetMinutes } from '../zones.ts';
import type { Office, Visit } from './office.ts';

const PAGE = 40;

/** `2026-12-01 09:30` on the practice's wall. */
const wall = (office: Office, at: number): string =>
	new Date(at + offsetMinutes(office.zone, at) * 60_000)
		.toISOString()
		.slice(0, 16)
		.replace('T', ' ');

const told = (office: Office, ask: Ask): readonly Visit[] =>
	ask.fault('empty_answer') === undefined ? office.visits() : [];

const json = (office: Office, ask: Ask, value: unknown): Reply => ({
	status: 200,
	headers: {
		'content-type': 'application/json',
		etag: `"${office.revision()}-${told(office, ask).length}"`
	},
	body: JSON.stringify(value)
});

export const VENDOR_PATH = '/api/openings';

export const createVendorHandler =
	(office: Office): Handler =>
	(ask) => {
		if (ask.url.pathname !== VENDOR_PATH) return { status: 404, headers: {}, body: '' };
		const page = Number(ask.url.searchParams.get('page') ?? 1);
		const all = told(office, ask);
		const some = all.slice((page - 1) * PAGE, page * PAGE);
		const next = page * PAGE < all.length ? `${VENDOR_PATH}?page=${page + 1}` : null;
		return json(office, ask, {
			result: {
				doctors: [
					{
						ref: 'dr-1',
						fullName: office.who.name,
						tz: office.who.zoneWord,
						state: office.who.state
					}
				],
				openings: some.map((visit) => ({
					id: visit.id,
					doctor: { ref: 'dr-1' },
					begin: wall(office, visit.startAt),
					minutes: office.visitMinutes,
					state: visit.isFree ? 'OPEN' : 'TAKEN'
				}))
			},
			links: { next }
		});
	};

const Query = z.object({
	query: z.string(),
	variables: z.object({ after: z.string().optional() })
});

export const GRAPH_PATH = '/graphql';

export const createGraphHandler =
	(office: Office): Handler =>
	(ask) => {
		if (ask.url.pathname !== GRAPH_PATH || ask.method !== 'POST') {
			return { status: 404, headers: {}, body: '' };
		}
		const asked = Query.parse(JSON.parse(ask.body));
		const from = Number(asked.variables.after ?? 0);
		const all = told(office, ask);
		const end = from + PAGE;
		return json(office, ask, {
			data: {
				openings: {
					nodes: all.slice(from, end).map((visit) => ({
						id: visit.id,
						start: new Date(visit.startAt).toISOString(),
						end: new Date(visit.endAt).toISOString(),
						placesLeft: visit.isFree ? 1 : 0
					})),
					cursor: end < all.length ? String(end) : null
				}
			}
		});
	};

export const TABLE_PATH = '/openings.csv';

export const createTableHandler =
	(office: Office): Handler =>
	(ask) => {
		if (ask.url.pathname !== TABLE_PATH) return { status: 404, headers: {}, body: '' };
		const rows = told(office, ask)
			.filter(({ isFree }) => isFree)
			.map((visit) => {
				const [date = '', time = ''] = wall(office, visit.startAt).split(' ');
				const [year, month, day] = date.split('-');
				return `${visit.id},"${month}/${day}/${year}",${time},"Ruiz, Ana"`;
			});
		return {
			status: 200,
			headers: { 'content-type': 'text/csv', etag: `"${office.revision()}-${rows.length}"` },
			body: `\uFEFFId,Date,Time,Who\r\n${rows.map((row) => `${row}\r\n`).join('')}`
		};
	};
