// The model of the simulation against the hub's own store: the same steps in both, and after each of
// them the same answer and the same tables. The database's clock is turned by the test.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomFrom } from '../support/random.ts';
import {
	advance,
	chooseMeeting,
	chooseStep,
	createMachine,
	type Chooser
} from './machine/choose.ts';
import { dumpModel, keyOf, takeStep, type Dump, type Machine, type Step } from './machine/steps.ts';
import { dumpTables } from './machine/tables.ts';
import { createTwin, openClock, takeRealStep } from './machine/twin.ts';

let world: Awaited<ReturnType<typeof openClock>>;
beforeAll(async () => {
	world = await openClock();
});
afterAll(() => world.close());

/** Lives that once showed a difference, and a few in which all happens that must. */
const ALWAYS = [
	481_827_814,
	481_870_337,
	481_878_520,
	...Array.from({ length: 12 }, (_, nr) => 481_990_305 + nr)
];
const NEW_LIVES = 8;
const STEPS_PER_LIFE = 250;

const newSeed = (): number => {
	const wanted = Number(process.env['TEST_SEED']);
	return Number.isInteger(wanted) && wanted > 0 ? wanted : (Date.now() & 0x3fffffff) + 1;
};

const MUST_HAPPEN = [
	'place granted  held',
	'place hold_limit',
	'place hour_limit',
	'place request_reused',
	'place slot_taken',
	'place slot_gone',
	'place too_soon',
	'extend extended',
	'confirm hold_expired',
	'confirm rejected',
	'confirm handed_over',
	'cancel asked',
	'move confirming',
	'settle true',
	'settle false',
	'commitPoll fenced',
	'leave true'
];

type Seen = Map<string, number>;

/** Refusals and answers without their numbers. */
const kindOf = (step: Step, answer: string): string =>
	`${step.do} ${answer.replaceAll(/[\d:→,-]+/g, '').trim()}`;

const live = async (seed: number, seen: Seen): Promise<void> => {
	const random = randomFrom(seed);
	const machine = createMachine(random);
	const twin = await createTwin(world.sql, machine.model);
	const chooser: Chooser = { random, requests: 0 };
	const told: string[] = [];
	for (let nr = 0; nr < STEPS_PER_LIFE; nr += 1) {
		const step = chooseStep(chooser, machine);
		const wanted = takeStep(machine, step);
		told.push(`${JSON.stringify(step)} ${wanted}`);
		const story = `seed ${seed}, step ${nr}, the last ones:\n${told.slice(-10).join('\n')}\n`;
		const answer = await takeRealStep(twin, step);
		const found = { answer, ...(await dumpTables(twin)) };
		const modelled = { answer: wanted, ...dumpModel(machine.model) };
		// `expect` takes its time also over what is equal.
		if (!isDeepStrictEqual(found, modelled)) {
			expect({ story, ...found }).toEqual({ story, ...modelled });
		}
		const kind = kindOf(step, wanted);
		seen.set(kind, (seen.get(kind) ?? 0) + 1);
	}
};

test('[Z17] model and hub answer alike and keep the same, step by step, by a clock of their own', async () => {
	const seed = newSeed();
	const seen: Seen = new Map();
	const seeds = Array.from({ length: NEW_LIVES }, (_, nr) => seed + nr);
	for (const one of [...ALWAYS, ...seeds]) await live(one, seen);
	const lines = [...seen].toSorted(([a], [b]) => a.localeCompare(b));
	process.stdout.write(`machine: seed ${seed}; ${lines.map((l) => l.join(' ')).join('; ')}\n`);
	// A run in which these did not happen proves little.
	const never = MUST_HAPPEN.filter((kind) => !seen.has(kind));
	expect(never).toEqual([]);
}, 400_000);

const permutations = <T>(list: readonly T[]): T[][] =>
	list.length <= 1
		? [[...list]]
		: list.flatMap((one, at) => permutations(list.toSpliced(at, 1)).map((rest) => [one, ...rest]));

type Done = { readonly step: Step; readonly answer: string };

/**
 * A sweep leaves alone what others have locked. What it ended is said by its answer, and of visits'
 * claims by the tables: nothing else ends those.
 */
const sweptOf = (machine: Machine, answer: string, tables: Dump): Step => {
	const only = new Set(answer.split(' back ')[0]?.split(' '));
	const now = new Map(tables.holds.map((hold) => [hold.key, hold]));
	for (const hold of machine.model.open) {
		const after = now.get(keyOf(hold));
		if (hold.state === 'confirming' && after?.state === 'released') only.add(keyOf(hold));
		if (hold.state === 'booked' && after?.expiresAt === Infinity) only.add(keyOf(hold));
	}
	return { do: 'sweep', only };
};

/** Whether this order gives these answers; the machine has then taken them. */
const isSo = (machine: Machine, order: readonly Done[]): boolean =>
	order.every(({ step, answer }) => takeStep(machine, step) === answer);

/** The machine after the order of steps that explains every answer and the tables; null = none does. */
const explain = (machine: Machine, answered: readonly Done[], tables: Dump): Machine | null => {
	const done = answered.map(({ step, answer }) =>
		step.do === 'sweep' ? { step: sweptOf(machine, answer, tables), answer } : { step, answer }
	);
	for (const order of permutations(done)) {
		const copy = structuredClone(machine);
		if (isSo(copy, order) && isDeepStrictEqual(dumpModel(copy.model), tables)) return copy;
	}
	return null;
};

const LIVES = 6;
const ROUNDS = 60;

test('[Z18] whatever two to four connections do at once, some order of it explains every answer and the tables', async () => {
	const seed = newSeed();
	process.stdout.write(`at once: seed ${seed}\n`);
	let raced = 0;
	for (let life = 0; life < LIVES; life += 1) {
		const random = randomFrom(seed + life);
		let machine = createMachine(random);
		const twin = await createTwin(world.sql, machine.model);
		const chooser: Chooser = { random, requests: 0 };
		for (let round = 0; round < ROUNDS; round += 1) {
			const on = advance(chooser, machine.model);
			takeStep(machine, on);
			await takeRealStep({ ...twin, model: machine.model }, on);
			const steps = chooseMeeting(chooser, machine.model, random.int(2, 4));
			const now = { ...twin, model: machine.model, isCrowded: true };
			const answers = await Promise.all(steps.map((step) => takeRealStep(now, step)));
			const done = steps.map((step, nr) => ({ step, answer: answers[nr] ?? '' }));
			const next = explain(machine, done, await dumpTables(now));
			if (next === null)
				throw new Error(`no order explains: ${seed + life} ${JSON.stringify(done)}`);
			// Of answers that some order would have made otherwise, at least.
			if (permutations(done).some((order) => !isSo(structuredClone(machine), order))) raced += 1;
			machine = next;
		}
	}
	process.stdout.write(`at once: in ${raced} of ${LIVES * ROUNDS} rounds the order mattered\n`);
	expect(raced).toBeGreaterThan(10);
}, 400_000);
