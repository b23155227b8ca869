// Bodies cut into raw records (lines of NDJSON, entries of a Bundle) without parsing them. A wrong
// cut cannot go unseen: its pieces do not parse, and whoever reads them checks that.

/** How the records of a body are told apart, as bytes. */
export type Mark = {
	/** Found between two records. */
	readonly pattern: Buffer;
	/** Where in the pattern the earlier record ends, and the later one begins. */
	readonly endAt: number;
	readonly startAt: number;
	/** Put between two bodies to make one. */
	readonly joint: Buffer;
};

/** Records only: no header, no trailer; empty = no record. */
export type Body = { readonly bytes: Buffer; readonly mark: Mark };

/** One raw record. */
export type Piece = { readonly bytes: Buffer; readonly start: number; readonly end: number };

const newline = Buffer.from('\n');
/** A raw line feed cannot stand inside a JSON string, so lines are always cut rightly. */
export const lineMark: Mark = { pattern: newline, endAt: 0, startAt: 1, joint: newline };

export const sameMark = (a: Mark, b: Mark): boolean =>
	a === b || (a.endAt === b.endAt && a.startAt === b.startAt && a.pattern.equals(b.pattern));

const isSpace = (byte: number | undefined): boolean =>
	byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The lines of an NDJSON file as a body: without a byte order mark and outer white space. */
export const bodyOfLines = (file: Buffer): Body => {
	let start = file[0] === 0xef && file[1] === 0xbb && file[2] === 0xbf ? 3 : 0;
	let end = file.length;
	while (start < end && isSpace(file[start])) start += 1;
	while (end > start && isSpace(file[end - 1])) end -= 1;
	return { bytes: file.subarray(start, end), mark: lineMark };
};

/** Where the record that begins at `start` ends (exclusive). */
export const endOf = (body: Body, start: number): number => {
	const at =
		body.mark.pattern.length === 1
			? body.bytes.indexOf(0x0a, start)
			: body.bytes.indexOf(body.mark.pattern, start);
	return at < 0 ? body.bytes.length : at + body.mark.endAt;
};

export const startAfter = (body: Body, end: number): number =>
	end >= body.bytes.length ? body.bytes.length : end + body.mark.startAt - body.mark.endAt;

/** All records of a body, in order. */
export const piecesOf = (body: Body, from = 0): Piece[] => {
	const pieces: Piece[] = [];
	for (let start = from; start < body.bytes.length;) {
		const end = endOf(body, start);
		pieces.push({ bytes: body.bytes, start, end });
		start = startAfter(body, end);
	}
	return pieces;
};

export const textOf = (piece: Piece): string =>
	piece.bytes.toString('utf8', piece.start, piece.end);

/** Several bodies as one; null when their records are cut differently. */
export const joinBodies = (bodies: readonly Body[]): Body | null => {
	const full = bodies.filter((body) => body.bytes.length > 0);
	const first = full[0];
	if (first === undefined) return { bytes: Buffer.alloc(0), mark: lineMark };
	if (full.length === 1) return first;
	if (!full.every((body) => sameMark(body.mark, first.mark))) return null;
	const parts = full.flatMap((body, at) =>
		at === 0 ? [body.bytes] : [first.mark.joint, body.bytes]
	);
	return { bytes: Buffer.concat(parts), mark: first.mark };
};
