// `npm run demo:burst`: makes one simulated clinic fill up while you watch the board, or with
// --open come free again. Talks only to the clinics' control, never to the hub.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { dataFolder } from '../ops/embedded/paths.ts';
import { PlainError } from '../ops/embedded/plain-error.ts';
import { readRunning } from './launch/running.ts';

const usage = `npm run demo:burst -- [--clinic <key>] [--count <number>] [--seconds <number>] [--open] [--data <folder>]

  --clinic <key>     which clinic (default prairie-lantern); --clinic list shows them
  --count <number>   how many times are taken (default 300)
  --seconds <number> spread over how long (default 60)
  --open             the other way round: times come free again
  --data <folder>    the folder the demo was started with`;

const LOOK_MS = 2_000;
const ANSWER_MS = 10_000;

const State = z.object({
	clinics: z.array(
		z.object({
			key: z.string(),
			name: z.string(),
			counts: z.partialRecord(z.string(), z.number())
		})
	)
});
type ClinicState = z.infer<typeof State>['clinics'][number];

const print = (text: string): void => {
	process.stdout.write(`${text}\n`);
};

const ask = async (url: string, body?: object): Promise<unknown> => {
	const request = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
	const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_MS) });
	if (!answer.ok) throw new PlainError(`The clinics refused: ${await answer.text()}`);
	return await answer.json();
};

const readClinics = async (controlUrl: string): Promise<ClinicState[]> =>
	State.parse(await ask(`${controlUrl}/control/state`)).clinics;

const freeOf = (clinic: ClinicState): number => clinic.counts['free'] ?? 0;

const list = (clinics: readonly ClinicState[]): string =>
	clinics.map((one) => `${one.key.padEnd(18)} ${freeOf(one)} free  ${one.name}`).join('\n');

const wholeNumber = (text: string, name: string): number => {
	const value = Number(text);
	if (Number.isInteger(value) && value >= 0) return value;
	throw new PlainError(`--${name} takes a whole number, not "${text}".`);
};

const parse = () => {
	try {
		const { values } = parseArgs({
			options: {
				clinic: { type: 'string', default: 'prairie-lantern' },
				count: { type: 'string', default: '300' },
				seconds: { type: 'string', default: '60' },
				open: { type: 'boolean', default: false },
				data: { type: 'string' },
				help: { type: 'boolean', short: 'h', default: false }
			}
		});
		return values;
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		throw new PlainError(`${why}\n\n${usage}`, { cause: error });
	}
};

type Burst = {
	controlUrl: string;
	key: string;
	count: number;
	seconds: number;
	isOpening: boolean;
};

const runBurst = async ({ controlUrl, key, count, seconds, isOpening }: Burst): Promise<void> => {
	const kind = isOpening ? 'open' : 'fill';
	const request = { clinic: key, count, overMs: seconds * 1_000, kind };
	const planned = z
		.object({ slots: z.array(z.string()) })
		.parse(await ask(`${controlUrl}/control/burst`, request)).slots.length;
	const what = isOpening ? 'come free' : 'are taken';
	print(`${planned} times ${what} within ${seconds} seconds`);
	const end = Date.now() + seconds * 1_000 + LOOK_MS;
	while (Date.now() < end) {
		const clinic = (await readClinics(controlUrl)).find((one) => one.key === key);
		if (clinic !== undefined) print(`${clinic.name}: ${freeOf(clinic)} free`);
		await new Promise((done) => setTimeout(done, LOOK_MS));
	}
};

const main = async (): Promise<void> => {
	const values = parse();
	if (values.help) return print(usage);
	const folder = values.data === undefined ? join(dataFolder(), 'demo') : resolve(values.data);
	const running = readRunning(folder);
	if (running === undefined || running.controlUrl === '') {
		throw new PlainError(
			'No demo is running: start one with `npm run demo` and wait for its addresses.'
		);
	}
	const { controlUrl, boardUrl } = running;
	const clinics = await readClinics(controlUrl);
	if (values.clinic === 'list') return print(list(clinics));
	if (!clinics.some(({ key }) => key === values.clinic)) {
		throw new PlainError(`There is no clinic "${values.clinic}". There are:\n${list(clinics)}`);
	}
	print(`Watch ${boardUrl}/`);
	await runBurst({
		controlUrl,
		key: values.clinic,
		count: wholeNumber(values.count, 'count'),
		seconds: wholeNumber(values.seconds, 'seconds'),
		isOpening: values.open
	});
};

await main().catch((error: unknown) => {
	const isPlain = error instanceof PlainError;
	const text = error instanceof Error ? (isPlain ? error.message : error.stack) : String(error);
	process.stderr.write(`${text}\n`);
	process.exitCode = 1;
});
