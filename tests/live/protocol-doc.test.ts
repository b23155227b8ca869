import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as protocol from '#domain/protocol.ts';
import { MAX_UNSENT_BYTES, MAX_UNSENT_PACKETS } from '#server/live/fan-out.ts';
import { MESSAGES_PER_MINUTE, PACKETS_PER_MINUTE } from '#server/live/quotas.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
// The formatter pads tables; that is no difference.
const doc = read('docs/protocol.md').replaceAll(/ {2,}/g, ' ');
const source = read('domain/protocol.ts');

/** Text of a type declaration, up to the line that closes it. */
const declaration = (name: string): string => {
	const start = source.indexOf(`export type ${name} =`);
	expect(start).toBeGreaterThan(0);
	return source.slice(start, source.indexOf(';\n\n', start));
};

const eventsIn = (text: string): string[] =>
	[...text.matchAll(/^\t'?([a-z]+:[a-z]+)'?: \(|^\t'([a-z]+:[a-z]+)':/gm)].map(
		(match) => match[1] ?? match[2] ?? ''
	);

const tableOf = (title: string): string[] => {
	const start = doc.indexOf(`### ${title}`);
	expect(start).toBeGreaterThan(0);
	const section = doc.slice(start, doc.indexOf('\n##', start + 4));
	return [...section.matchAll(/^\| `([a-z]+:[a-z]+)` \|/gm)].map((match) => match[1] ?? '');
};

test.each([
	['PatientClientEvents', '`/patients`, client → hub'],
	['PatientServerEvents', '`/patients`, hub → client'],
	['ProviderClientEvents', '`/providers`, client → hub'],
	['ProviderServerEvents', '`/providers`, hub → client']
])('[V23] the events of %s are those of the page', (type, title) => {
	const events = eventsIn(declaration(type));
	expect(events.length).toBeGreaterThan(1);
	expect(tableOf(title).toSorted()).toEqual(events.toSorted());
});

test('[V23] every refusal is named, and no others', () => {
	const section = doc.slice(doc.indexOf('## 7.'), doc.indexOf('## 8.'));
	const named = [...section.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map((match) => match[1]);
	const types = `${declaration('SocketRefusal')} ${declaration('HoldRefusal')} 'booking_unknown'`;
	const known = [...types.matchAll(/'([a-z_]+)'/g)].map((match) => match[1]);
	expect(named.toSorted()).toEqual(known.toSorted());
});

test('[V23] version and limits are those of the code', () => {
	expect(doc).toContain(`Version **${protocol.PROTOCOL_VERSION}**`);
	for (const name of Object.keys(protocol)) expect(doc).toContain(`\`${name}\``);
	const named = [...doc.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map((match) => match[1] ?? '');
	for (const name of named.filter((one) => !one.startsWith('HUB_'))) {
		expect(Object.keys(protocol)).toContain(name);
	}
	const number = (value: number): string => value.toLocaleString('en-US');
	expect(doc).toContain(`${protocol.COALESCE_MS} ms (\`COALESCE_MS\`)`);
	expect(doc).toContain(`${protocol.BEACON_MS / 1_000} s (\`BEACON_MS\`)`);
	expect(doc).toContain(`${protocol.SILENCE_MS / 1_000} s (\`SILENCE_MS\`)`);
	expect(doc).toContain(`${number(protocol.MAX_DELTA_CHANGES)} changes, \`MAX_DELTA_CHANGES\``);
	expect(doc).toContain(`| ${number(protocol.MAX_FRAME_BYTES)} bytes (\`MAX_FRAME_BYTES\`)`);
	expect(doc).toContain(`| ${protocol.MAX_ROOMS_PER_SOCKET} (\`MAX_ROOMS_PER_SOCKET\`)`);
	expect(doc).toContain(`| ${protocol.MAX_CHANGES_PER_ENTRY} (\`MAX_CHANGES_PER_ENTRY\`)`);
	expect(doc).toContain(`${number(MAX_UNSENT_BYTES)}, or ${number(MAX_UNSENT_PACKETS)} packets`);
	expect(doc).toContain(`| ${MESSAGES_PER_MINUTE} a minute |`);
	expect(doc).toContain(`| ${PACKETS_PER_MINUTE} a minute |`);
});

test('[V23] the batches shown are batches', () => {
	const shape = /\{\s*"room":\s*"[^"]+",\s*"epoch"[^…]*?"changes":\s*\[\s*\[.*?\]\s*\]\s*\}/gs;
	const shown = [...doc.matchAll(shape)].map((match) => JSON.parse(match[0]));
	expect(shown.length).toBeGreaterThanOrEqual(3);
	for (const batch of shown) {
		expect(Object.keys(batch)).toEqual(['room', 'epoch', 'from', 'to', 'changes']);
		expect(batch.to).toBeGreaterThan(batch.from);
		for (const change of batch.changes) expect([2, 6]).toContain(change.length);
	}
});
