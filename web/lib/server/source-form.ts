// The form that adds a source: read with bounds, checked by the schema of sources.
import { z } from 'zod';
import { SourceSecret, type WishedSource } from '#domain/source-desk.ts';
import { SourceSettings } from '#domain/source.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';
import { sourceFields, type SourceField, type SourceValues } from '../source-fields.ts';

/** A mapping of a vendor with many schedules is some kilobytes. */
const MAX_NOTES_CHARACTERS = 100_000;
const MAX_CHARACTERS = 4_000;

export type WrongForm = {
	readonly values: SourceValues;
	readonly wrong: readonly SourceField[];
	/** Where the notes are not right: `mapping.slots.id`, at most ten. */
	readonly places: readonly string[];
};

const textIn = (form: FormData, name: SourceField): string => {
	const value = form.get(name);
	if (typeof value !== 'string') return '';
	return value.slice(0, name === 'notes' ? MAX_NOTES_CHARACTERS : MAX_CHARACTERS);
};

/** What was typed, but for the secret. */
export const readSourceValues = (form: FormData): SourceValues => {
	const read = (name: SourceField): string => textIn(form, name).trim();
	const entries = sourceFields.map((name) => [name, read(name)] as const);
	return Object.fromEntries(entries) as SourceValues;
};

const fieldOf: Readonly<Record<string, SourceField>> = {
	key: 'key',
	name: 'name',
	kind: 'kind',
	url: 'url',
	booking: 'booking',
	minIntervalMs: 'interval',
	freshForMs: 'fresh',
	windowMs: 'days',
	notes: 'notes'
};

const JsonObject = z.record(z.string(), z.json());

const readNotes = (text: string): unknown => {
	try {
		return JsonObject.parse(JSON.parse(text === '' ? '{}' : text));
	} catch {
		return null;
	}
};

const placeOf = (path: readonly PropertyKey[]): string => path.slice(1).map(String).join('.');

/** E4: the wish, or every field that is not right at once. */
export const readSourceForm = (form: FormData): WishedSource | WrongForm => {
	const values = readSourceValues(form);
	const notes = readNotes(values.notes);
	const parsed = SourceSettings.safeParse({
		key: values.key,
		name: values.name,
		kind: values.kind,
		url: values.url,
		booking: values.booking,
		minIntervalMs: Math.round(Number(values.interval) * SECOND_MS),
		freshForMs: Math.round(Number(values.fresh) * MINUTE_MS),
		windowMs: Math.round(Number(values.days) * DAY_MS),
		allowPrivate: values.private === 'yes',
		notes
	});
	const typed = textIn(form, 'secret');
	const secret = typed === '' ? null : SourceSecret.safeParse(typed);
	if (parsed.success && secret?.success !== false) {
		return { settings: parsed.data, secret: secret?.data ?? null };
	}
	const issues = parsed.error?.issues ?? [];
	// The one rule about two fields at once: which kinds can be booked at.
	const wrong = issues.map(({ path }) => fieldOf[String(path[0] ?? 'booking')] ?? 'booking');
	if (secret?.success === false) wrong.push('secret');
	const places = issues.map(({ path }) => (path[0] === 'notes' ? placeOf(path) : ''));
	return {
		values,
		wrong: [...new Set(wrong)],
		places: [...new Set(places.filter((place) => place !== ''))].slice(0, 10)
	};
};
