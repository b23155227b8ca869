// The command line of `slotcast source`: what was asked for, or what is wrong with it.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { PauseReason } from '#domain/source-desk.ts';
import { sourceKinds, SourceSettings } from '#domain/source.ts';
import { DAY_MS, parseOffsetInstant, type Instant } from '#domain/time.ts';

export const usage = `slotcast source <command>          also: npm run source -- <command>

  try <kind> <url>             read a source once and show what it says; nothing is saved
  add <key> <kind> <url>       try it, then save it; it is polled within seconds
  list                         every source: state, age, slots, paused or not
  pause <key> --because <why>  do not poll it; its times grow old in the open
  resume <key>                 poll it again
  remove <key> --yes           take its times off every board; booked visits stay
  replay <key> [--at <instant>] [--commit]
                               read a kept answer again, without asking the source: what it would
                               change; with --commit it is applied like a poll
  twins [<key>]                which practitioners several sources list, which source is shown, and why
  push-key <key>               make the key it pushes with and show it once; the last one counts too

  kind                ${sourceKinds.join(', ')}
  url                 what docs/connectors/ says of the kind: a manifest, a base, a feed

Options of try and add:
  --options <file>    settings as JSON: name, notes, minIntervalMs, freshForMs, windowMs, booking …
  --notes <file>      only the notes, as JSON (docs/connectors/ says which each kind needs)
  --mapping <file>    the mapping of a vendor as JSON, for the kind mapped
  --name <text>       how the source is called
  --zone <zone>       IANA zone of schedules whose source tells none
  --trust wall        believe the wall clock, repair the offset
  --days <number>     how far ahead to look; 14
  --allow-private     private addresses and http are allowed there
  --secret-stdin      the key or token is read from standard input (else from SOURCE_SECRET);
                      never write it on the command line, where others can see it
Only try:
  --now <instant>     as if it were then (recorded answers)
  --json              all of it, one JSON object a line (list has this too)
Only add:
  --anyway            also when the try gave no times
  --replace           change the settings of a source that is there; its secret stays if none is given

All but try need DATABASE_URL and the other variables of the hub (.env.example).
Exit codes: 0 done (try: complete), 1 refused (try: partial), 2 try: silent,
64 wrong use, 69 the database cannot be used, 78 the environment is not right.
`;

export type Command =
	| { readonly name: 'help' }
	| ({ readonly name: 'try'; readonly settings: SourceSettings; readonly nowMs: number } & Shown &
			WithSecret)
	| ({
			readonly name: 'add';
			readonly settings: SourceSettings;
			readonly anyway: boolean;
			readonly replaces: boolean;
	  } & WithSecret)
	| ({ readonly name: 'list' } & Shown)
	| { readonly name: 'pause'; readonly key: string; readonly because: string }
	| { readonly name: 'resume'; readonly key: string }
	| {
			readonly name: 'replay';
			readonly key: string;
			readonly at: Instant | null;
			readonly commits: boolean;
	  }
	| { readonly name: 'twins'; readonly key: string | null }
	| { readonly name: 'push-key'; readonly key: string }
	| { readonly name: 'remove'; readonly key: string; readonly isSure: boolean };

type Shown = { readonly asJson: boolean };
type WithSecret = { readonly secretFrom: 'stdin' | 'environment' };

/** What is wrong with the command line, in a sentence that says what to do. */
export class WrongUse extends Error {
	override readonly name = 'WrongUse';
}

const options = {
	options: { type: 'string' },
	notes: { type: 'string' },
	mapping: { type: 'string' },
	name: { type: 'string' },
	zone: { type: 'string' },
	trust: { type: 'string' },
	days: { type: 'string' },
	now: { type: 'string' },
	at: { type: 'string' },
	commit: { type: 'boolean', default: false },
	because: { type: 'string' },
	'allow-private': { type: 'boolean' },
	'secret-stdin': { type: 'boolean' },
	json: { type: 'boolean', default: false },
	anyway: { type: 'boolean', default: false },
	replace: { type: 'boolean', default: false },
	yes: { type: 'boolean', default: false },
	help: { type: 'boolean', short: 'h', default: false }
} as const;

const parse = (args: readonly string[]) => {
	try {
		return parseArgs({ args: [...args], allowPositionals: true, options });
	} catch (error) {
		// What was typed may hold a secret: only the name of the option is repeated.
		const option = /'(--?[a-z-]+)/.exec(error instanceof Error ? error.message : '')?.[1];
		throw new WrongUse(`The option ${option ?? ''} is not understood.`);
	}
};
type Values = ReturnType<typeof parse>['values'];

const JsonObject = z.record(z.string(), z.json());

const readJson = (path: string | undefined, what: string): Record<string, unknown> => {
	if (path === undefined) return {};
	try {
		return JsonObject.parse(JSON.parse(readFileSync(path, 'utf8')));
	} catch {
		throw new WrongUse(`The file of --${what} cannot be read, or holds no JSON object.`);
	}
};

const settingsOf = (
	values: Values,
	{ key, kind, url }: Record<'key' | 'kind' | 'url', string | undefined>
): SourceSettings => {
	const file = readJson(values.options, 'options');
	const notes = {
		...JsonObject.safeParse(file['notes']).data,
		...readJson(values.notes, 'notes'),
		...(values.mapping !== undefined && { mapping: readJson(values.mapping, 'mapping') }),
		...(values.zone !== undefined && { zone: values.zone }),
		...(values.trust !== undefined && { trust: values.trust })
	};
	const parsed = SourceSettings.safeParse({
		name: key,
		...file,
		...(values.name !== undefined && { name: values.name }),
		...(values.days !== undefined && { windowMs: Number(values.days) * DAY_MS }),
		...(values['allow-private'] !== undefined && { allowPrivate: values['allow-private'] }),
		key,
		kind,
		url,
		notes
	});
	if (parsed.success) return parsed.data;
	const wrong = parsed.error.issues.map(
		({ path, message }) => `${path.join('.') || 'settings'}: ${message}`
	);
	throw new WrongUse(`The settings are not right:\n- ${wrong.join('\n- ')}`);
};

const instantOf = (text: string | undefined, option: string): Instant | null => {
	if (text === undefined) return null;
	const told = parseOffsetInstant(text);
	if (told === null) {
		throw new WrongUse(`--${option} is no instant: write it as 2026-03-24T00:00:00Z.`);
	}
	return told.at;
};

const positionalsOf = (given: readonly string[], count: number): readonly string[] => {
	if (given.length !== count)
		throw new WrongUse(`This command takes ${count} words after its name.`);
	return given;
};

/** Throws WrongUse. */
export const readCommand = (args: readonly string[]): Command => {
	const { values, positionals } = parse(args);
	if (values.help || positionals.length === 0) return { name: 'help' };
	const [group, name, ...rest] = positionals;
	if (group !== 'source') throw new WrongUse('The first word is source: slotcast source list.');
	const secretFrom = values['secret-stdin'] === true ? 'stdin' : 'environment';
	switch (name) {
		case undefined:
			return { name: 'help' };
		case 'try': {
			const [kind, url] = positionalsOf(rest, 2);
			const settings = settingsOf(values, { key: 'tried', kind, url });
			return {
				name,
				settings,
				nowMs: instantOf(values.now, 'now') ?? Date.now(),
				asJson: values.json,
				secretFrom
			};
		}
		case 'add': {
			const [key, kind, url] = positionalsOf(rest, 3);
			const settings = settingsOf(values, { key, kind, url });
			return { name, settings, anyway: values.anyway, replaces: values.replace, secretFrom };
		}
		case 'list':
			positionalsOf(rest, 0);
			return { name, asJson: values.json };
		case 'pause': {
			const [key = ''] = positionalsOf(rest, 1);
			const because = PauseReason.min(1).safeParse(values.because);
			if (!because.success) throw new WrongUse('Say why: --because "their calendar is moving".');
			return { name, key, because: because.data };
		}
		case 'twins':
			return { name, key: positionalsOf(rest, Math.min(rest.length, 1))[0] ?? null };
		case 'resume':
		case 'push-key':
			return { name, key: positionalsOf(rest, 1)[0] ?? '' };
		case 'replay': {
			const [key = ''] = positionalsOf(rest, 1);
			return { name, key, at: instantOf(values.at, 'at'), commits: values.commit };
		}
		case 'remove':
			return { name, key: positionalsOf(rest, 1)[0] ?? '', isSure: values.yes };
		default:
			throw new WrongUse('There is no such command.');
	}
};
