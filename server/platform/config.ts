// The environment, parsed once into one typed object; a wrong one is told in full, in plain words.
import { z } from 'zod';
import { must } from '#domain/result.ts';
import { developmentKeys, howToMakeKey, notes, variables } from './config-variables.ts';
import type { VariableNote } from './config-variables.ts';

const Environment = z.object(variables);

/** What each field means is told in config-variables.ts and .env.example. */
export type Config = Readonly<z.output<typeof Environment>>;

/** All that is wrong with the environment, one line per variable. Holds no secret. */
export class ConfigError extends Error {
	override readonly name = 'ConfigError';
	readonly problems: readonly string[];
	constructor(problems: readonly string[]) {
		super(`The environment is not right:\n${problems.map((line) => `- ${line}`).join('\n')}`);
		this.problems = problems;
	}
}

const noteOf = (schema: z.ZodType): VariableNote => must(notes.get(schema), 'note of a variable');

/** Name, meaning and default of every variable, in the order of .env.example. */
export const listVariables = (): VariableNote[] => Object.values(variables).map(noteOf);

/** Secrets that only development may leave out. */
const developmentFallbacks: Readonly<Record<string, string>> = {
	HUB_PHI_KEYS: developmentKeys.phi,
	HUB_LINK_KEY: developmentKeys.link
};

const fill = (env: NodeJS.ProcessEnv): Record<string, string | undefined> => {
	const isDevelopment = env['HUB_MODE'] === 'development';
	const filled: Record<string, string | undefined> = {};
	for (const [field, schema] of Object.entries(variables)) {
		const { name, fallback } = noteOf(schema);
		const given = env[name] === '' ? undefined : env[name];
		filled[field] = given ?? fallback ?? (isDevelopment ? developmentFallbacks[name] : undefined);
	}
	return filled;
};

const problemOf = (issue: z.core.$ZodIssue, filled: Record<string, unknown>): string => {
	const field = String(issue.path[0]);
	const schema = Object.entries(variables).find(([name]) => name === field)?.[1];
	const { name, meaning } = noteOf(must(schema, field));
	if (filled[field] !== undefined) return `${name} ${issue.message}.`;
	const how = name in developmentFallbacks ? ` Make one: ${howToMakeKey}` : '';
	return `${name} is missing. ${meaning}${how}`;
};

/** Throws ConfigError. An empty variable counts as left out. */
export const parseConfig = (env: NodeJS.ProcessEnv): Config => {
	const filled = fill(env);
	const parsed = Environment.safeParse(filled);
	if (!parsed.success) {
		throw new ConfigError(parsed.error.issues.map((issue) => problemOf(issue, filled)));
	}
	return parsed.data;
};

/** The text of .env.example. */
export const renderEnvExample = (): string => {
	const lines = [
		'# Copy to .env. Lines that begin with # hold the default; the others must be filled in.'
	];
	for (const { name, meaning, fallback, example } of listVariables()) {
		lines.push('', `# ${meaning}`);
		lines.push(fallback === undefined ? `${name}=${example ?? ''}` : `#${name}=${fallback}`);
	}
	return `${lines.join('\n')}\n`;
};
