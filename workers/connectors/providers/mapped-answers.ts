// Parses a vendor's answer: JSON, or CSV as one object a row. What is broken in it is named.
import { parse } from 'csv-parse/sync';
import type { Mapping } from '#domain/mapping.ts';
import { isJson } from './fhir-shapes.ts';

export type BrokenRow = { readonly where: string; readonly reason: string };

export type ParsedAnswer =
	| { readonly ok: true; readonly value: unknown; readonly broken: readonly BrokenRow[] }
	| { readonly ok: false; readonly detail: string };

const MAX_ROW_BYTES = 65_536;
const MAX_COLUMNS = 500;

const parseJson = (text: string): ParsedAnswer => {
	try {
		const value: unknown = JSON.parse(text);
		const errors = isJson(value) ? value['errors'] : undefined;
		if (Array.isArray(errors) && errors.length > 0 && isJson(value) && 'data' in value) {
			return { ok: false, detail: 'The source answered the query with errors.' };
		}
		return { ok: true, value, broken: [] };
	} catch {
		return { ok: false, detail: 'The answer is no JSON, or was cut off.' };
	}
};

type Row = { readonly record: readonly string[]; readonly info: { readonly lines: number } };

const rowOf = (names: readonly string[], fields: readonly string[]): object => {
	// No prototype: a column may have any name.
	const row = Object.create(null) as Record<string, string>;
	for (const [at, name] of names.entries()) {
		if (name !== '' && !Object.hasOwn(row, name)) row[name] = fields[at] ?? '';
	}
	return row;
};

const parseCsv = (text: string, delimiter: string): ParsedAnswer => {
	const broken: BrokenRow[] = [];
	try {
		const rows = parse(text, {
			bom: true,
			delimiter,
			info: true,
			max_record_size: MAX_ROW_BYTES,
			relax_column_count: true,
			skip_empty_lines: true,
			skip_records_with_error: true,
			on_skip: (error) => {
				const where = `line ${error instanceof Error && 'lines' in error ? String(error['lines']) : '?'}`;
				broken.push({ where, reason: 'the row cannot be taken apart' });
				return undefined;
			}
		}) as unknown as Row[];
		const [head, ...rest] = rows;
		if (head === undefined) return { ok: false, detail: 'The file is empty.' };
		const names = head.record.map((name) => name.trim());
		if (names.length > MAX_COLUMNS) return { ok: false, detail: 'The file has too many columns.' };
		const value: object[] = [];
		for (const { record, info } of rest) {
			if (record.length === names.length) value.push(rowOf(names, record));
			else
				broken.push({
					where: `line ${info.lines}`,
					reason: 'the row has other columns than the header'
				});
		}
		return { ok: true, value, broken };
	} catch {
		return { ok: false, detail: 'The file is no CSV, or was cut off.' };
	}
};

/** Never throws. */
export const parseAnswer = (
	body: Buffer,
	{ format, delimiter }: Pick<Mapping, 'format' | 'delimiter'>
): ParsedAnswer => {
	const text = body.toString('utf8').replace(/^\uFEFF/, '');
	return format === 'csv' ? parseCsv(text, delimiter) : parseJson(text);
};
