// Polls one address once and prints what it says as NDJSON, the quickest way to try a source:
// node workers/connectors/try.ts <kind> <url> [--allow-private] [--notes <file>] [--mapping <file>]
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Answer } from '#domain/answer.ts';
import { sourceKinds, SourceSettings } from '#domain/source.ts';
import { parseOffsetInstant, toInstant } from '#domain/time.ts';
import { createConnectors } from './connectors.ts';

const usage = `node workers/connectors/try.ts <kind> <url> [options]

  kind              ${sourceKinds.join(' or ')}
  url               what docs/connectors/ says of the kind: a manifest, a base, a feed
  --allow-private   private addresses and http are allowed there
  --zone <zone>     IANA zone of schedules whose source tells none
  --trust wall      believe the wall clock, repair the offset
  --now <instant>   poll as if it were then (recorded answers)
  --days <number>   how far ahead to look; 14
  --notes <file>    the operator's notes as JSON (docs/connectors/ says which each kind needs)
  --mapping <file>  the mapping of a vendor as JSON, for the kind mapped

Exit codes: 0 complete, 1 partial, 2 silent, 64 wrong use.
`;

export const exitCodes = { complete: 0, partial: 1, silent: 2, usage: 64 } as const;

/** A file of JSON the operator wrote; throws what is wrong with it. */
const readJson = (path: string | undefined): object =>
	path === undefined ? {} : (JSON.parse(readFileSync(path, 'utf8')) as object);

type Wish = { readonly source: SourceSettings; readonly nowMs: number };

/** What was asked for on the command line, or null when it cannot be understood. */
export const readWish = (args: readonly string[]): Wish | null => {
	try {
		const { values, positionals } = parseArgs({
			args: [...args],
			allowPositionals: true,
			options: {
				'allow-private': { type: 'boolean', default: false },
				zone: { type: 'string' },
				trust: { type: 'string' },
				now: { type: 'string' },
				days: { type: 'string', default: '14' },
				notes: { type: 'string' },
				mapping: { type: 'string' }
			}
		});
		const [kind, url] = positionals;
		const source = SourceSettings.safeParse({
			key: 'tried',
			name: url,
			kind,
			url,
			notes: {
				...readJson(values.notes),
				...(values.mapping !== undefined && { mapping: readJson(values.mapping) }),
				...(values.zone !== undefined && { zone: values.zone }),
				...(values.trust !== undefined && { trust: values.trust })
			},
			windowMs: Number(values.days) * 86_400_000,
			allowPrivate: values['allow-private']
		});
		const told = values.now === undefined ? undefined : parseOffsetInstant(values.now);
		if (!source.success || told === null || positionals.length !== 2) return null;
		return { source: source.data, nowMs: told?.at ?? Date.now() };
	} catch {
		return null;
	}
};

const print = (line: object): void => {
	process.stdout.write(`${JSON.stringify(line)}\n`);
};

const printAnswer = (answer: Answer): void => {
	if (answer.state === 'silent') {
		const { refused = [], ...summary } = answer;
		for (const each of refused) print({ type: 'refused', ...each });
		return print({ type: 'summary', ...summary });
	}
	const { schedules, listing, refused, ...summary } = answer;
	for (const schedule of schedules ?? []) print({ type: 'schedule', ...schedule });
	const facts = listing.form === 'full' ? listing.facts : [];
	for (const fact of facts) {
		const startsAt = new Date(fact.startsAt).toISOString();
		print({ type: 'slot', ...fact, startsAt, endsAt: new Date(fact.endsAt).toISOString() });
	}
	for (const each of refused) print({ type: 'refused', ...each });
	print({ type: 'summary', ...summary, schedules: schedules?.length ?? 0, slots: facts.length });
};

const run = async (args: readonly string[]): Promise<number> => {
	const wish = readWish(args);
	if (wish === null) {
		process.stderr.write(usage);
		return exitCodes.usage;
	}
	const { source, nowMs } = wish;
	const secret = process.env['SOURCE_SECRET'] ?? null;
	const connectors = createConnectors({ allowPrivate: true, secretOf: async () => secret });
	try {
		const answer = await connectors[source.kind].poll({
			source,
			cursor: {},
			basis: null,
			token: 'tried',
			now: toInstant(nowMs),
			wantFull: true,
			signal: AbortSignal.timeout(120_000)
		});
		printAnswer(answer);
		return exitCodes[answer.state];
	} finally {
		await connectors.close();
	}
};

if (import.meta.main) process.exitCode = await run(process.argv.slice(2));
