// Reads a response body with a byte cap that counts what comes out of decompression, so that a
// small bomb cannot fill memory.
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

export class BodyTooLarge extends Error {
	readonly code = 'BODY_TOO_LARGE';
}
export class EncodingUnknown extends Error {
	readonly code = 'ENCODING_UNKNOWN';
}

const decoderOf = (encoding: string | null): NodeJS.ReadWriteStream => {
	switch ((encoding ?? 'identity').trim().toLowerCase()) {
		case '':
		case 'identity':
			return new PassThrough();
		case 'gzip':
		case 'x-gzip':
			return createGunzip();
		case 'deflate':
			return createInflate();
		case 'br':
			return createBrotliDecompress();
		default:
			throw new EncodingUnknown('content encoding');
	}
};

export type ReadBody = {
	readonly body: Buffer;
	/** Bytes that came over the network. */
	readonly bytes: number;
};

/**
 * Throws BodyTooLarge, EncodingUnknown, or what the stream failed with. `onBytes` hears of every
 * piece as it arrives, so that a failed read can be accounted for as well.
 */
export const readBody = async (
	stream: Readable,
	options: {
		readonly encoding: string | null;
		readonly maxBytes: number;
		readonly onBytes: (count: number) => void;
	}
): Promise<ReadBody> => {
	const decoder = decoderOf(options.encoding);
	let bytes = 0;
	stream.on('data', (piece: Buffer) => {
		bytes += piece.length;
		options.onBytes(piece.length);
	});
	const plain = pipeline(stream, decoder, () => {}) as unknown as AsyncIterable<Buffer>;
	const pieces: Buffer[] = [];
	let size = 0;
	for await (const piece of plain) {
		size += piece.length;
		if (size > options.maxBytes) {
			stream.destroy();
			throw new BodyTooLarge('body');
		}
		pieces.push(piece);
	}
	return {
		body: pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, size),
		bytes
	};
};
