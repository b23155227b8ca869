// Serves recorded publications again: SMART Scheduling Links and FHIR slot searches found in a
// folder, byte for byte but for the addresses in the manifest, so that they go the very same way.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { findRegionByUsps } from '#domain/codes.ts';
import { must } from '#domain/result.ts';
import { SourceSettings } from '#domain/source.ts';
import { DAY_MS, parseOffsetInstant, toInstant, type Instant } from '#domain/time.ts';

export type Replay = {
	readonly sources: SourceSettings[];
	/**
	 * The clock to poll each source with, by key: the day it was recorded on. With today's clock all
	 * recorded times lie in the past, and a poll rightly speaks of none of them.
	 */
	readonly replayNow: ReadonlyMap<string, Instant>;
	readonly close: () => Promise<void>;
};

type Json = Readonly<Record<string, unknown>>;
const isJson = (value: unknown): value is Json =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

const parse = (text: string): unknown => {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
};

type Served = { readonly type: string; readonly body: Buffer };
type Recording = {
	readonly key: string;
	readonly kind: SourceSettings['kind'];
	/** Path of the manifest or of the FHIR base. */
	readonly entry: string;
	/** Served files by path. */
	readonly files: ReadonlyMap<string, Served>;
	readonly recordedAt: Instant;
};

type RecordedFile = { readonly name: string; readonly type: string; readonly body: Buffer };

const resourcesIn = (body: Buffer): Json[] =>
	body
		.toString('utf8')
		.split('\n')
		.map((line) => parse(line))
		.filter(isJson);

const earliest = (told: unknown, starts: readonly unknown[]): Instant => {
	const instants = [told, ...starts]
		.map((text) => (typeof text === 'string' ? parseOffsetInstant(text)?.at : undefined))
		.filter((at) => at !== undefined);
	const first = instants.reduce((least, at) => Math.min(least, at), Infinity);
	if (first === Infinity) throw new Error('a recording without any time');
	return toInstant(Math.floor(first / DAY_MS) * DAY_MS);
};

const readFiles = (folder: string): RecordedFile[] =>
	readdirSync(folder)
		.filter((name) => name.endsWith('.ndjson'))
		.map((name) => {
			const body = readFileSync(join(folder, name));
			const type = resourcesIn(body)[0]?.['resourceType'];
			return { name, type: typeof type === 'string' ? type : '', body };
		});

/** `NJ` of `slots-NJ.ndjson`, or null when the name ends in no region. */
const regionIn = (name: string): string | null => {
	const tag = /(?:^|[-_/])([A-Z]{2})\.ndjson$/.exec(name)?.[1];
	return tag !== undefined && findRegionByUsps(tag) !== undefined ? tag : null;
};

/** The recorded file an output of the manifest stands for; each file is used once. */
const fileOf = (output: Json, files: readonly RecordedFile[]): RecordedFile | undefined => {
	const url = String(output['url']);
	const alike = files.filter((file) => file.type === output['type']);
	return (
		alike.find((file) => basename(file.name) === basename(url)) ??
		alike.find((file) => regionIn(file.name) !== null && regionIn(file.name) === regionIn(url)) ??
		alike.find((file) => regionIn(file.name) === null)
	);
};

const openPublication = (folder: string, baseUrl: () => string): Recording | null => {
	const key = basename(folder);
	const files = readFiles(folder);
	for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
		const manifest = parse(readFileSync(join(folder, name), 'utf8'));
		if (!isJson(manifest) || !Array.isArray(manifest['output'])) continue;
		const unused = new Set(files);
		const output = manifest['output'].filter(isJson).flatMap((each) => {
			const file = fileOf(each, [...unused]);
			if (file === undefined) return [];
			unused.delete(file);
			return [{ ...each, url: `/${key}/${file.name}` }];
		});
		const served = new Map(
			files.map((file) => [
				`/${key}/${file.name}`,
				{ type: 'application/fhir+ndjson', body: file.body }
			])
		);
		const entry = `/${key}/$bulk-publish`;
		const starts = files
			.filter((file) => file.type === 'Slot')
			.flatMap((file) => resourcesIn(file.body).map((slot) => slot['start']));
		return {
			key,
			kind: 'smart-scheduling-links',
			entry,
			recordedAt: earliest(manifest['transactionTime'], starts),
			files: new Map<string, Served>(served).set(entry, {
				type: 'application/json',
				get body() {
					const base = baseUrl();
					const absolute = output.map((each) => ({ ...each, url: base + each.url }));
					return Buffer.from(
						JSON.stringify({ ...manifest, request: base + entry, output: absolute })
					);
				}
			})
		};
	}
	return null;
};

const openSearch = (folder: string): Recording | null => {
	const key = basename(folder);
	for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
		const body = readFileSync(join(folder, name));
		const bundle = parse(body.toString('utf8'));
		if (!isJson(bundle) || bundle['type'] !== 'searchset' || !Array.isArray(bundle['entry'])) {
			continue;
		}
		const slots = bundle['entry']
			.map((entry) => (isJson(entry) ? entry['resource'] : undefined))
			.filter(isJson)
			.filter((resource) => resource['resourceType'] === 'Slot');
		if (slots.length === 0) continue;
		return {
			key,
			kind: 'fhir-slots',
			entry: `/${key}/fhir`,
			recordedAt: earliest(
				bundle['timestamp'],
				slots.map((slot) => slot['start'])
			),
			files: new Map([[`/${key}/fhir/Slot`, { type: 'application/fhir+json', body }]])
		};
	}
	return null;
};

const openAll = (folder: string, baseUrl: () => string): Recording[] =>
	readdirSync(folder)
		.filter((name) => statSync(join(folder, name)).isDirectory())
		.toSorted()
		.map((name) => join(folder, name))
		.map((path) => openPublication(path, baseUrl) ?? openSearch(path))
		.filter((recording) => recording !== null);

const answer = (response: ServerResponse, file: Served | undefined, known: string): void => {
	if (file === undefined) {
		response.writeHead(404, { 'content-type': 'application/fhir+json' });
		response.end(
			'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}'
		);
		return;
	}
	const { body } = file;
	const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 24)}"`;
	if (known === etag) response.writeHead(304, { etag }).end();
	else response.writeHead(200, { 'content-type': file.type, etag }).end(body);
};

const sourceOf = (recording: Recording, baseUrl: string): SourceSettings =>
	SourceSettings.parse({
		key: recording.key,
		name: `Recorded: ${recording.key}`,
		kind: recording.kind,
		url: baseUrl + recording.entry,
		allowPrivate: true,
		booking: 'link'
	});

/**
 * Starts serving every recording under `folder` on a free port of 127.0.0.1. Throws when the folder
 * cannot be read. Folders that hold neither a manifest nor a slot search are left out.
 */
export const startReplay = async (folder: string): Promise<Replay> => {
	let baseUrl = '';
	const recordings = openAll(folder, () => baseUrl);
	const files = new Map(recordings.flatMap((recording) => [...recording.files]));
	const server = createServer((request, response) => {
		const path = (request.url ?? '/').split('?')[0] ?? '/';
		const known = request.headers['if-none-match'] ?? '';
		answer(response, request.method === 'GET' ? files.get(path) : undefined, known);
	});
	await new Promise<void>((done, fail) => {
		server.once('error', fail);
		server.listen(0, '127.0.0.1', done);
	});
	const { port } = must(server.address(), 'address') as AddressInfo;
	baseUrl = `http://127.0.0.1:${port}`;
	return {
		sources: recordings.map((recording) => sourceOf(recording, baseUrl)),
		replayNow: new Map(recordings.map(({ key, recordedAt }) => [key, recordedAt])),
		close: () =>
			new Promise<void>((done) => {
				server.close(() => done());
				server.closeAllConnections();
			})
	};
};
