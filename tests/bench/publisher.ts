// One server that is thousands of publishers: it answers on every address of 127.0.0.0/8, so that each
// source is a host of its own to the workers. All list the same slots; the operator's notes tell them
// apart. Loopback only.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOUR_MS, MINUTE_MS } from '#domain/time.ts';

export type Publisher = {
	/** The manifest of the n-th publisher, n < 60,000. */
	readonly urlOf: (nth: number) => string;
	/** From now on this is how the n-th publisher behaves. */
	readonly setManner: (nth: number, manner: Manner) => void;
	readonly requests: () => number;
	readonly close: () => Promise<void>;
};

/** Well; never answers; 500; a byte a second. */
export type Manner = 'well' | 'hang' | 'fail' | 'trickle';

export type PublisherSize = {
	readonly schedules: number;
	readonly slots: number;
	/** Into how many files the slots are cut; 1 when left out. */
	readonly files?: number;
};

const VISIT_MS = 20 * MINUTE_MS;

const lines = (resources: readonly object[]): Buffer =>
	Buffer.from(resources.map((each) => `${JSON.stringify(each)}\n`).join(''));

/** NDJSON of `slots` slots from the next whole hour on, a schedule after the other. */
export const slotLines = ({ schedules, slots }: PublisherSize): Buffer => {
	const from = (Math.floor(Date.now() / HOUR_MS) + 3) * HOUR_MS;
	return lines(
		Array.from({ length: slots }, (_, at) => {
			const startsAt = from + Math.floor(at / schedules) * VISIT_MS;
			return {
				resourceType: 'Slot',
				id: `slot-${at}`,
				schedule: { reference: `Schedule/s${at % schedules}` },
				status: at % 3 === 0 ? 'busy' : 'free',
				start: new Date(startsAt).toISOString(),
				end: new Date(startsAt + VISIT_MS).toISOString()
			};
		})
	);
};

const scheduleLines = ({ schedules }: PublisherSize): Buffer =>
	lines(
		Array.from({ length: schedules }, (_, at) => ({
			resourceType: 'Schedule',
			id: `s${at}`,
			actor: [{ reference: `Practitioner/p${at}`, display: `Practitioner ${at}` }]
		}))
	);

const manifestOf = (host: string, slotPaths: readonly string[]): Buffer =>
	Buffer.from(
		JSON.stringify({
			transactionTime: '2026-11-01T00:00:00Z',
			request: `http://${host}/$bulk-publish`,
			output: [
				{ type: 'Schedule', url: `http://${host}/schedules.ndjson` },
				...slotPaths.map((path) => ({ type: 'Slot', url: `http://${host}${path}` }))
			]
		})
	);

/** Cuts between lines. */
const cutLines = (bytes: Buffer, files: number): Buffer[] => {
	const parts: Buffer[] = [];
	let from = 0;
	for (let nth = 1; nth <= files; nth += 1) {
		const about = Math.floor((bytes.length * nth) / files) - 1;
		const to = nth === files ? bytes.length : bytes.indexOf(0x0a, about) + 1;
		parts.push(bytes.subarray(from, to));
		from = to;
	}
	return parts;
};

const ETAG = '"1"';

const answerWell = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
	const isKnown = request.headers['if-none-match'] === ETAG;
	response.writeHead(isKnown ? 304 : 200, {
		etag: ETAG,
		...(isKnown ? {} : { 'content-type': 'application/json', 'content-length': body.length })
	});
	response.end(isKnown ? undefined : body);
};

const misbehave = (manner: Manner, response: ServerResponse, body: Buffer): void => {
	if (manner === 'hang') return;
	if (manner === 'fail') {
		response.writeHead(500).end();
		return;
	}
	response.writeHead(200, { 'content-length': body.length });
	let at = 0;
	const timer = setInterval(() => response.write(body.subarray(at, (at += 1))), 1_000);
	response.once('close', () => clearInterval(timer));
};

export const startPublisher = async (size: PublisherSize): Promise<Publisher> => {
	const slotFiles = cutLines(slotLines(size), size.files ?? 1);
	const slotPaths = slotFiles.map((_, at) => `/slots-${at}.ndjson`);
	const bodies = new Map([['/schedules.ndjson', scheduleLines(size)]]);
	for (const [at, file] of slotFiles.entries()) bodies.set(`/slots-${at}.ndjson`, file);
	const manners = new Map<string, Manner>();
	let requests = 0;
	const server = createServer((request, response) => {
		requests += 1;
		const host = request.headers.host ?? '';
		const body = bodies.get(request.url ?? '') ?? manifestOf(host, slotPaths);
		const manner = manners.get(host.split(':')[0] ?? '') ?? 'well';
		if (manner === 'well') answerWell(request, response, body);
		else misbehave(manner, response, body);
	});
	server.on('connection', (socket) => {
		if (socket.localAddress?.startsWith('127.') !== true) socket.destroy();
	});
	await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
	const { port } = server.address() as AddressInfo;
	const hostOf = (nth: number): string => `127.1.${Math.floor(nth / 250)}.${1 + (nth % 250)}`;
	return {
		urlOf: (nth) => `http://${hostOf(nth)}:${port}/$bulk-publish`,
		setManner: (nth, manner) => void manners.set(hostOf(nth), manner),
		requests: () => requests,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			})
	};
};
