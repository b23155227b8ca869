// The bare HTTP server under Express and Socket.IO: its timeouts, its port and its end.
import { createServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';
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

export const createHttpServer = (): HttpServer => {
	const http = createServer();
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
