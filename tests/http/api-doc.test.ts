// docs/api.md names what the API has: every route, and no other.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SLOTS_PER_BOARD, SLOTS_PER_PROVIDER_PAGE, SLOTS_PER_SCHEDULE } from '#domain/board.ts';
import { visitFor } from '#domain/booking.ts';
import { PatientDetails } from '#domain/commands.ts';
import { MAX_AWAIT_MS } from '#server/scheduling/read-booking.ts';
import { projectRoot } from '../../ops/embedded/paths.ts';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');
// The formatter pads tables; that is no difference.
const doc = read('docs/api.md').replaceAll(/ {2,}/g, ' ');

/** Route files that are mounted elsewhere than under `/api/v1`. */
const elsewhere = ['calendar-routes.ts', 'health-routes.ts', 'push-routes.ts'];

test('[X27] docs/api.md names every route of the API, and no other', () => {
	const files = readdirSync(join(projectRoot, 'server/http')).filter(
		(file) => file.endsWith('-routes.ts') && !elsewhere.includes(file)
	);
	const routes = files.flatMap((file) =>
		[...read(`server/http/${file}`).matchAll(/router\.(get|post|put|delete)\(\s*'([^']+)'/g)].map(
			([, method = '', path = '']) => `${method.toUpperCase()} ${path}`
		)
	);
	const named = [...doc.matchAll(/^\| `((?:GET|POST|PUT|DELETE) \/[^`]+)` \|/gm)].map(
		([, route = '']) => route
	);
	expect(routes.length).toBeGreaterThan(20);
	expect(named.toSorted()).toEqual(routes.toSorted());
});

test('[X27] the figures and words of docs/api.md are those of the code', () => {
	expect(doc).toContain(`(${SLOTS_PER_SCHEDULE} each, ${SLOTS_PER_BOARD} in all)`);
	expect(doc).toContain(`(one provider, ${SLOTS_PER_PROVIDER_PAGE} times)`);
	expect(doc).toContain(`\`?waitMs=${MAX_AWAIT_MS}\``);
	expect(doc).toContain(`(${visitFor.map((who) => `\`${who}\``).join(', ')})`);
	const patient = doc.split('\n').find((line) => line.startsWith('`patient` is')) ?? '';
	for (const field of Object.keys(PatientDetails.shape)) expect(patient).toContain(field);
});
