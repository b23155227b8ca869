// Follows the paths of a mapping through an answer nobody has checked. Only own properties count,
// every walk is bounded, nothing throws.
import type { MappedLevel, TextRule } from '#domain/mapping.ts';
import { isJson, textOf } from './fhir-shapes.ts';

/** What the levels above a record are called, and what they are. */
export type Scope = Readonly<Record<string, unknown>>;

/** Things found at one level at most; more are a sign of a wrong mapping. */
export const MAX_FOUND = 250_000;

const ownOf = (value: unknown, name: string): unknown =>
	isJson(value) && Object.hasOwn(value, name) ? value[name] : undefined;

const eachOf = (value: unknown): readonly unknown[] => {
	if (Array.isArray(value)) return value;
	return isJson(value) ? Object.values(value) : [];
};

const parsed = new Map<string, readonly string[]>();

/** `a.b[*][*]` as `a`, `b`, `*`, `*`. */
const stepsOf = (path: string): readonly string[] => {
	const known = parsed.get(path);
	if (known !== undefined) return known;
	const steps = path.split('.').flatMap((part) => {
		const name = part.replace(/(?:\[\*\])+$/, '');
		const times = (part.length - name.length) / 3;
		return [...(name === '' ? [] : [name]), ...Array.from({ length: times }, () => '*')];
	});
	if (parsed.size < 5_000) parsed.set(path, steps);
	return steps;
};

/** Everything at a path, at most MAX_FOUND. A missing name finds nothing. */
export const allAt = (value: unknown, path: string): readonly unknown[] => {
	let found: readonly unknown[] = [value];
	for (const step of stepsOf(path)) {
		const next: unknown[] = [];
		for (const each of found) {
			for (const one of step === '*' ? eachOf(each) : [ownOf(each, step)]) {
				if (one !== undefined && next.length < MAX_FOUND) next.push(one);
			}
		}
		found = next;
	}
	return found;
};

/** The records of a chain of levels, each with the levels above it, and where it stands. */
export const scopesOf = (
	answer: unknown,
	levels: readonly MappedLevel[]
): readonly { readonly scope: Scope; readonly where: string }[] => {
	let scopes: { scope: Scope; where: string; inner: unknown }[] = [
		{ scope: {}, where: '', inner: answer }
	];
	for (const { as, at } of levels) {
		const next: typeof scopes = [];
		for (const { scope, where, inner } of scopes) {
			for (const [n, one] of allAt(inner, at).entries()) {
				if (next.length >= MAX_FOUND) break;
				const label = `${where}${where === '' ? '' : ' '}${as} ${n + 1}`;
				next.push({ scope: { ...scope, [as]: one }, where: label, inner: one });
			}
		}
		scopes = next;
	}
	return scopes;
};

/** The first plain value at a path; null, objects and lists are no values. */
export const valueAt = (scope: Scope, path: string): string | number | boolean | undefined => {
	for (const value of allAt(scope, path)) {
		if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
			return value;
		}
	}
	return undefined;
};

/** Clean text of a rule; '' when there is none. `max`: most characters. */
export const textBy = (scope: Scope, rule: TextRule | undefined, max = 200): string => {
	if (rule === undefined) return '';
	if (typeof rule === 'object' && 'always' in rule) return rule.always;
	const at = typeof rule === 'string' ? rule : rule.at;
	const value = valueAt(scope, at);
	const text = value === undefined ? '' : textOf(String(value), max);
	if (typeof rule === 'string' || rule.words === undefined) return text;
	const word = Object.hasOwn(rule.words, text) ? rule.words[text] : rule.otherwise;
	return word ?? text;
};

/** All values of a path as texts. */
export const textsAt = (scope: Scope, path: string): readonly string[] =>
	allAt(scope, path)
		.filter((value) => typeof value === 'string' || typeof value === 'number')
		.map((value) => textOf(String(value)));
