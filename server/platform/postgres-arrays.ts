// Text of one-dimensional Postgres arrays, both ways. The driver would ask each new connection for
// the array types and dies of an unhandled rejection when the connection breaks just then; so the
// types are named here and it need not ask.

type Read<T> = (text: string) => T;
type Write<T> = (value: T) => string;

const escapeItem = (text: string): string =>
	`"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

export const writeArray = <T>(items: readonly (T | null)[], write: Write<T>): string =>
	`{${items.map((item) => (item === null ? 'NULL' : escapeItem(write(item)))).join(',')}}`;

/** Reads `{a,"b \" c",NULL}`. Throws on arrays of arrays: nothing here stores them. */
export const readArray = <T>(text: string, read: Read<T>): (T | null)[] => {
	if (!text.startsWith('{')) throw new Error('not a one-dimensional array');
	const items: (T | null)[] = [];
	let at = 1;
	while (at < text.length && text[at] !== '}') {
		if (text[at] === '{') throw new Error('an array of arrays is not read');
		if (text[at] === '"') {
			const end = closingQuote(text, at);
			items.push(read(text.slice(at + 1, end).replace(/\\(.)/gs, '$1')));
			at = end + 1;
		} else {
			const end = plainEnd(text, at);
			const item = text.slice(at, end);
			items.push(item === 'NULL' ? null : read(item));
			at = end;
		}
		if (text[at] === ',') at += 1;
	}
	return items;
};

const closingQuote = (text: string, from: number): number => {
	let at = from + 1;
	while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
	return at;
};

const plainEnd = (text: string, from: number): number => {
	let at = from;
	while (at < text.length && text[at] !== ',' && text[at] !== '}') at += 1;
	return at;
};

/** A driver's type for arrays of something: `oid` is the array type's number. */
export const arrayType = <T>(oid: number, read: Read<T>, write: Write<T>) => ({
	to: oid,
	from: [oid],
	serialize: (items: readonly (T | null)[]): string => writeArray(items, write),
	parse: (text: string): (T | null)[] => readArray(text, read)
});
