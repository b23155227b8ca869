// The demo's own secrets, made on the first start and kept with its data: without the same key the
// patient details of an earlier start could not be read again.
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { PlainError } from '../../ops/embedded/plain-error.ts';

const Keys = z.strictObject({
	/** 32 bytes, base64: encrypts patient details. */
	phi: z.base64().length(44),
	/** 32 bytes, base64: signs private links. */
	link: z.base64().length(44)
});
export type Keys = z.infer<typeof Keys>;

/** What a clinic of the demo signs its pushes with: made of the other keys, so that it stays. */
export const pushKeyOf = ({ link }: Keys): string =>
	createHmac('sha256', link).update('push of a demo clinic').digest('base64url');

/** What a practice of the demo wants with every booking over its API. */
export const apiKeyOf = ({ link }: Keys): string =>
	createHmac('sha256', link).update('key of a demo practice').digest('base64url');

const makeKey = (): string => randomBytes(32).toString('base64');

/** Reads the keys of `folder`, or makes them (mode 0600). */
export const keepKeys = (folder: string): Keys => {
	const path = join(folder, 'keys.json');
	if (!existsSync(path)) {
		const keys = { phi: makeKey(), link: makeKey() };
		writeFileSync(path, `${JSON.stringify(keys)}\n`, { mode: 0o600 });
		return keys;
	}
	try {
		return Keys.parse(JSON.parse(readFileSync(path, 'utf8')));
	} catch (error) {
		throw new PlainError(`${path} is damaged: start over with --fresh.`, { cause: error });
	}
};
