// `slotcast source …`: operators try, add, list, pause, resume and remove sources from the command
// line. It works on Postgres, the truth: running hubs and workers follow within seconds.
import { userInfo } from 'node:os';
import { text } from 'node:stream/consumers';
import type { Answer } from '#domain/answer.ts';
import type { RefusalReason } from '#domain/refusals.ts';
import { refusals } from '#domain/refusals.ts';
import { ok, refuse, unreachable, type Result } from '#domain/result.ts';
import { givesNothing, reportOf, SourceSecret, type Operator } from '#domain/source-desk.ts';
import { ConfigError, parseConfig, type Config } from '#server/platform/config.ts';
import { keysById } from '#server/platform/keyring.ts';
import { createPostgres, type Sql } from '#server/platform/postgres.ts';
import { readPushKeys } from '#server/platform/push-keys.ts';
import { createSecretCipher } from '#server/platform/secret-cipher.ts';
import { takeAway } from '#server/scheduling/source-desk.ts';
import { prepareDatabase } from '#server/store/migrate.ts';
import {
	addSourceIn,
	findSourceId,
	noteReplay,
	pauseSource,
	resumeSource,
	weighSource
} from '#server/store/operate-sources.ts';
import { findPushSource } from '#server/store/push.ts';
import { turnPushKey } from '#server/store/push-keys.ts';
import { readConnectorSecret } from '#server/store/source-secrets.ts';
import { readTwinTrace } from '#server/store/twins.ts';
import { readSource } from '#server/store/sources.ts';
import { readCounts, readSourceStatuses } from '#server/store/status.ts';
import { askOnce } from '#workers/connectors/ask-once.ts';
import { commitReread, rereadAnswer } from '#workers/jobs/replay-answer.ts';
import { readCommand, usage, WrongUse, type Command } from './read-command.ts';
import { answerLines, listedOf, listText, replayText, twinText, reportText } from './show.ts';

export const exitCodes = {
	done: 0,
	refused: 1,
	complete: 0,
	partial: 1,
	silent: 2,
	usage: 64,
	unavailable: 69,
	config: 78
} as const;

const say = (words: string): void => void process.stdout.write(words);
const complain = (words: string): void => void process.stderr.write(`${words}\n`);

/** Never from the command line, which other users of the machine can read. */
const readSecret = async (from: 'stdin' | 'environment'): Promise<string | null> => {
	const given = from === 'stdin' ? await text(process.stdin) : process.env['SOURCE_SECRET'];
	if (given === undefined || given === '') return null;
	const secret = SourceSecret.safeParse(given);
	if (!secret.success) {
		throw new WrongUse('The secret must be 1 to 4,000 letters, digits and signs without spaces.');
	}
	return secret.data;
};

/** Who sits at the command line, as the audit shall name them. */
const operatorOf = (): Operator => {
	const name = userInfo().username.replaceAll(/[^\w.-]/g, '');
	return `operator:cli ${name}`;
};

type Read = { readonly answer: Answer; readonly report: ReturnType<typeof reportOf> };

const read = async (
	{ settings, nowMs }: { settings: Extract<Command, { name: 'try' }>['settings']; nowMs: number },
	{ secret, contactUrl }: { secret: string | null; contactUrl?: string }
): Promise<Read> => {
	const startedAt = performance.now();
	const options = { allowPrivate: true, ...(contactUrl !== undefined && { contactUrl }) };
	const answer = await askOnce(options, { settings, secret, nowMs });
	return { answer, report: reportOf(answer, Math.round(performance.now() - startedAt)) };
};

const runTry = async (command: Extract<Command, { name: 'try' }>): Promise<number> => {
	const { answer, report } = await read(command, { secret: await readSecret(command.secretFrom) });
	if (!command.asJson) say(reportText(report));
	else for (const line of answerLines(answer)) say(`${JSON.stringify(line)}\n`);
	return exitCodes[answer.state];
};

type Stored = Exclude<Command, { name: 'help' } | { name: 'try' }>;
type Refusal = Result<unknown, RefusalReason>;

const runAdd = async (
	{ sql, config }: { sql: Sql; config: Config },
	command: Extract<Command, { name: 'add' }>
): Promise<Refusal> => {
	const { settings, anyway, replaces } = command;
	const given = await readSecret(command.secretFrom);
	if (settings.allowPrivate && !config.allowPrivateSources) {
		complain('HUB_ALLOW_PRIVATE_SOURCES is not true: workers will not poll a private address.');
	}
	const cipher = createSecretCipher(keysById(config.phiKeys));
	const kept = replaces ? await readConnectorSecret(sql, cipher, settings.key) : null;
	const secret = given ?? config.sourceSecrets.get(settings.key) ?? kept;
	const { report } = await read(
		{ settings, nowMs: Date.now() },
		{ secret, contactUrl: config.publicUrl }
	);
	say(reportText(report));
	if (givesNothing(report) && !anyway) return refuse('source_gives_nothing');
	const by = operatorOf();
	const added = await sql.begin((tx) =>
		addSourceIn(tx, cipher, { settings, secret: given, by, replaces })
	);
	if (!added.ok) return added;
	const isPaused = (await readSource(sql, added.value))?.enabled === false;
	say(
		isPaused
			? `${settings.key} is saved. It is paused: slotcast source resume ${settings.key}\n`
			: `${settings.key} is saved and polled within seconds.\n`
	);
	return added;
};

const runRemove = async (
	sql: Sql,
	{ key, isSure }: Extract<Command, { name: 'remove' }>
): Promise<Refusal> => {
	const weighed = await weighSource(sql, key);
	if (!weighed.ok) return weighed;
	const { name, visits, holds } = weighed.value;
	say(`${name}: ${visits} visits ahead or not settled, ${holds} times held right now.\n`);
	say('Its times leave every board. Booked visits stay and can still be changed or cancelled.\n');
	if (!isSure)
		throw new WrongUse(`Nothing was done. To remove it: slotcast source remove ${key} --yes`);
	// Hubs compare with Postgres twice a second: they need no hint.
	const removed = await takeAway({ sql, publish: () => {} })(operatorOf(), key);
	if (removed.ok) say(`${key} is removed.\n`);
	return removed;
};

/** Shown once, on standard output alone, so that it can be piped where it belongs. */
const runPushKey = async (
	{ sql, config }: { sql: Sql; config: Config },
	key: string
): Promise<Refusal> => {
	const source = await findPushSource(sql, key);
	if (source === null) return refuse('source_unknown');
	if (readPushKeys(config.sourceSecrets, key).length > 0) {
		complain(`HUB_SOURCE_SECRETS has ${key}.push, which counts before the new one.`);
	}
	const cipher = createSecretCipher(keysById(config.phiKeys));
	say(`${await sql.begin((tx) => turnPushKey(tx, cipher, source.id, operatorOf()))}\n`);
	return ok(null);
};

const runList = async (sql: Sql, asJson: boolean): Promise<Refusal> => {
	const [{ asOf }, rows] = await Promise.all([readCounts(sql), readSourceStatuses(sql)]);
	const sources = rows.map((row) => listedOf(row, asOf));
	if (!asJson) say(listText(sources, asOf));
	else for (const one of sources) say(`${JSON.stringify(one)}\n`);
	return ok(null);
};

const runReplay = async (
	{ sql, config }: { sql: Sql; config: Config },
	{ key, at, commits }: Extract<Command, { name: 'replay' }>
): Promise<Refusal> => {
	const sourceId = await findSourceId(sql, key);
	if (sourceId === null) return refuse('source_unknown');
	const cipher = createSecretCipher(keysById(config.phiKeys));
	const reread = await rereadAnswer({ sql, cipher }, sourceId, ({ askedAt }) => {
		return at === null || askedAt <= at;
	});
	if (!reread.ok) {
		throw new WrongUse('No answer of then is kept: the last full ones are, for a day at most.');
	}
	const { raw, answer } = reread.value;
	say(replayText(reread.value));
	if (!commits) {
		say('Nothing was changed. To apply it: --commit\n');
		return ok(null);
	}
	if (answer.state === 'silent') return refuse('source_gives_nothing');
	const done = await commitReread({ sql }, { raw, answer });
	if (!done.ok) {
		complain(
			'It was not applied: the source is paused, is polled right now, or has said more since.'
		);
		return refuse('busy_try_again');
	}
	await sql.begin((tx) => noteReplay(tx, operatorOf(), key));
	say(`${done.value.changes} changes are applied; the source is polled again soon.\n`);
	return ok(null);
};

const runStored = async (sql: Sql, config: Config, command: Stored): Promise<Refusal> => {
	const by = operatorOf();
	switch (command.name) {
		case 'add':
			return await runAdd({ sql, config }, command);
		case 'list':
			return await runList(sql, command.asJson);
		case 'pause': {
			const paused = await pauseSource(sql, { ...command, by });
			if (paused.ok) say(`${command.key} is paused. Its times grow old in the open.\n`);
			return paused;
		}
		case 'resume': {
			const resumed = await resumeSource(sql, { ...command, by });
			if (resumed.ok) say(`${command.key} is polled again within seconds.\n`);
			return resumed;
		}
		case 'replay':
			return await runReplay({ sql, config }, command);
		case 'twins':
			say(twinText(await readTwinTrace(sql, command.key)));
			return ok(null);
		case 'push-key':
			return await runPushKey({ sql, config }, command.key);
		case 'remove':
			return await runRemove(sql, command);
		default:
			return unreachable(command);
	}
};

const withStore = async (command: Stored): Promise<number> => {
	const config = parseConfig(process.env);
	const sql = createPostgres(config.databaseUrl, { max: 2, applicationName: 'slotcast-source' });
	try {
		try {
			await prepareDatabase(config.databaseUrl);
		} catch (error) {
			complain(error instanceof Error ? error.message : 'The database cannot be used.');
			return exitCodes.unavailable;
		}
		const done = await runStored(sql, config, command);
		if (done.ok) return exitCodes.done;
		complain(refusals[done.reason].text);
		if (done.reason === 'source_gives_nothing') complain('To add it all the same: --anyway');
		if (done.reason === 'source_exists') complain('To change its settings: --replace');
		if (done.reason === 'source_unknown') complain('Which there are: slotcast source list');
		return exitCodes.refused;
	} finally {
		await sql.end({ timeout: 2 });
	}
};

/** The exit code. Every fault is told in words, never by a stack or what a driver quotes. */
export const main = async (args: readonly string[]): Promise<number> => {
	try {
		const command = readCommand(args);
		if (command.name === 'help') {
			say(usage);
			return args.length === 0 ? exitCodes.usage : exitCodes.done;
		}
		return command.name === 'try' ? await runTry(command) : await withStore(command);
	} catch (error) {
		if (error instanceof WrongUse) {
			complain(`${error.message}\nHow it is used: slotcast source --help`);
			return exitCodes.usage;
		}
		if (error instanceof ConfigError) {
			complain(error.message);
			return exitCodes.config;
		}
		const code = error instanceof Error ? error.name : 'fault';
		complain(`Something broke (${code}). Is the database up? See docs/runbook.md.`);
		return exitCodes.unavailable;
	}
};
