// The built SvelteKit pages (build/handler.js). They reach the hub only through `req.hub` and
// `req.visitor`; the bundle has no copy of server code.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { RequestHandler } from 'express';

export class PagesMissing extends Error {
	override readonly name = 'PagesMissing';
}

/** Largest form a page may send; the API has the same limit. */
const BODY_LIMIT = '16K';

const isHandler = (value: unknown): value is RequestHandler => typeof value === 'function';

/**
 * Loads the pages once. The environment is set before the bundle is imported, because it reads it
 * while loading: kit 3 takes a request's scheme from a header only when told its name, and without
 * it refuses every form sent over plain http.
 */
export const loadPages = async (handlerFile: string): Promise<RequestHandler> => {
	if (!existsSync(handlerFile)) {
		throw new PagesMissing('The pages are not built: run `npm run build` first.');
	}
	process.env['PROTOCOL_HEADER'] = 'x-forwarded-proto';
	process.env['BODY_SIZE_LIMIT'] = BODY_LIMIT;
	const bundle: unknown = await import(pathToFileURL(handlerFile).href);
	const handler =
		typeof bundle === 'object' && bundle !== null ? Reflect.get(bundle, 'handler') : undefined;
	if (!isHandler(handler)) throw new PagesMissing(`${handlerFile} has no request handler.`);
	return handler;
};
