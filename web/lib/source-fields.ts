// The fields of the form that adds a source, as they travel between page and server.
import type { SourceSettings } from '#domain/source.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '#domain/time.ts';

/** All but the secret, which is never sent back. */
export const sourceFields = [
	'key',
	'name',
	'kind',
	'url',
	'booking',
	'interval',
	'fresh',
	'days',
	'notes',
	'private'
] as const;
export type SourceField = (typeof sourceFields)[number] | 'secret';
export type SourceValues = Readonly<Record<(typeof sourceFields)[number], string>>;

export const newSource: SourceValues = {
	key: '',
	name: '',
	kind: 'smart-scheduling-links',
	url: 'https://',
	booking: 'link',
	interval: '60',
	fresh: '5',
	days: '14',
	notes: '{}',
	private: ''
};

export const valuesOfSettings = (settings: SourceSettings): SourceValues => ({
	key: settings.key,
	name: settings.name,
	kind: settings.kind,
	url: settings.url,
	booking: settings.booking,
	interval: String(settings.minIntervalMs / SECOND_MS),
	fresh: String(settings.freshForMs / MINUTE_MS),
	days: String(settings.windowMs / DAY_MS),
	notes: JSON.stringify(settings.notes, null, 2),
	private: settings.allowPrivate ? 'yes' : ''
});
