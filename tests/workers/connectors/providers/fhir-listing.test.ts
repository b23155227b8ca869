// FHIR servers that list Slots only by their schedules.
import { expect, test } from 'vitest';
import { must } from '#domain/result.ts';
import type { Asked, Told } from '../fake-server.ts';
import { factsOf, spoken } from '../poll-once.ts';
import { bundle, date, follow, slotOf, slots, type World } from './fhir-world.ts';

const people = Array.from({ length: 45 }, (_, nr) => ({
	resourceType: 'Schedule',
	id: `p${nr}`,
	actor: [{ display: `Dr ${nr}` }]
}));

/** One Slot for each schedule that is asked for; without one the search is refused. */
const bySchedule =
	(refusal: Told, failsAt = '') =>
	(asked: Asked): Told | undefined => {
		const { pathname, searchParams } = asked.url;
		if (!pathname.endsWith('/Slot')) return undefined;
		const wanted = searchParams.get('schedule')?.split(',') ?? [];
		if (wanted.length === 0) return refusal;
		if (wanted.includes(failsAt)) return { status: 503 };
		const own = wanted.map((reference, at) => ({
			...slotOf(must(slots(1)[0])),
			id: `${reference}-${at}`.replace('/', '-'),
			schedule: { reference }
		}));
		return { headers: { date }, body: bundle(own) };
	};

test.each([400, 422])(
	'[A105] a server that answers %i to a search of all is asked schedule by schedule, and remembered so',
	async (status) => {
		const world: World = {
			slots: [],
			perPage: 1,
			over: bySchedule({ status, body: {} }),
			directory: { Schedule: people }
		};
		await follow(world, async ({ poll, asked }) => {
			expect(factsOf(await poll())).toHaveLength(45);
			const before = asked().length;
			expect(spoken(await poll()).state).toBe('complete');
			const again = asked().slice(before);
			expect(again).toHaveLength(3);
			expect(
				again.every(
					(path) => path.includes('schedule=Schedule%2F') || path.includes('schedule=Schedule/')
				)
			).toBe(true);
			for (const path of again) expect(path.length).toBeLessThan(2_000);
		});
	}
);

test('[A105] a batch that fails leaves the rest untold and takes nothing away', async () => {
	const over = bySchedule({ status: 400, body: {} }, 'Schedule/p9');
	const world: World = { slots: [], perPage: 1, over, directory: { Schedule: people } };
	await follow(world, async ({ poll }) => {
		const answer = spoken(await poll());
		expect(answer.state).toBe('partial');
		expect(factsOf(answer).length).toBeGreaterThan(0);
	});
});

test('[A105] refused either way, the first refusal is told', async () => {
	const over: World['over'] = ({ url }) =>
		url.pathname.endsWith('/Slot') ? { status: 400, body: {} } : undefined;
	await follow({ slots: [], perPage: 1, over }, async ({ poll }) => {
		expect(await poll()).toMatchObject({ state: 'silent', reason: 'misconfigured' });
	});
});
