// The bare HTTP server under Express and Socket.IO: its timeouts, its port and its end.
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import type { Express } from 'express';
import type { Config } from '#server/platform/config.ts';

export const listen = (
	http: HttpServer,
	{ port, host }: Pick<Config, 'port' | 'host'>
): Promise<number> =>
	new Promise((resolve, reject) => {
		http.once('error', reject);
		http.listen(port, host, () => {
			http.off('error', reject);
			const address = http.address();
			resolve(typeof address === 'object' && address !== null ? address.port : port);
		});
	});

/**
 * Express gives each request and response its own prototype, which is slow on an object that is in
 * use already. Here they are born with it: setting it again is nothing.
 */
const createServerOf = (app: Express): HttpServer => {
	class AppRequest extends IncomingMessage {}
	class AppResponse extends ServerResponse<AppRequest> {}
	app.request = Object.setPrototypeOf(AppRequest.prototype, app.request);
	app.response = Object.setPrototypeOf(AppResponse.prototype, app.response);
	return createServer({ IncomingMessage: AppRequest, ServerResponse: AppResponse }, app);
};

export const createHttpServer = (app: Express): HttpServer => {
	const http = createServerOf(app);
	// A slow line may take its time; a connection that never finishes a request may not.
	http.headersTimeout = 15_000;
	http.requestTimeout = 60_000;
	http.keepAliveTimeout = 30_000;
	return http;
};

/** Resolves when every connection has ended, or after `withinMs`. */
export const finishRequests = async (closed: Promise<void>, http: HttpServer, withinMs: number) => {
	const sweep = setInterval(() => http.closeIdleConnections(), 100);
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, withinMs);
	});
	await Promise.race([closed, late]);
	clearTimeout(timer);
	clearInterval(sweep);
	http.closeAllConnections();
};
