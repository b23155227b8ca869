// A server in front of another: it passes everything on, answers with an error, or takes the question
// and says nothing, as the test wants.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { mustClose } from './leaks.ts';

export type Mood = 'fine' | 'broken' | 'mute';

const passOn = async (to: URL, res: ServerResponse): Promise<void> => {
	const answer = await fetch(to);
	const type = answer.headers.get('content-type') ?? 'application/json';
	res.writeHead(answer.status, { 'content-type': type });
	res.end(Buffer.from(await answer.arrayBuffer()));
};

/** `target`: what it passes requests on to; the address stays that of its own. */
export const startMoodyServer = async (target: string, mood: Mood = 'fine') => {
	const now = { mood, asked: 0 };
	const server: Server = createServer((req, res) => {
		now.asked += 1;
		if (now.mood === 'mute') return;
		if (now.mood === 'broken') {
			res.writeHead(503).end();
			return;
		}
		passOn(new URL(req.url ?? '/', target), res).catch(() => res.writeHead(502).end());
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const address = server.address();
	const port = typeof address === 'object' && address !== null ? address.port : 0;
	const { pathname, search } = new URL(target);
	return mustClose('moody server', {
		url: `http://127.0.0.1:${port}${pathname}${search}`,
		asked: () => now.asked,
		become: (next: Mood) => {
			now.mood = next;
		},
		close: () =>
			new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	});
};

export type MoodyServer = Awaited<ReturnType<typeof startMoodyServer>>;
