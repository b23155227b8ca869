import { expect, test } from 'vitest';
import { SourceId } from '#domain/ids.ts';
import { toInstant } from '#domain/time.ts';
import { signLink, type LinkClaims } from '#server/http/links.ts';
import { createVisitorReader } from '#server/http/session.ts';

const linkKey = Buffer.alloc(32, 3);
const now = toInstant(1_000);
const read = createVisitorReader({ linkKey, clock: { now: () => now } });
const sourceId = SourceId.parse(7);
const session = (claims: LinkClaims): string => signLink(linkKey, claims, 'session');
const clinic = `slotcast_staff=${session({ role: 'clinic', sourceId, exp: 5_000 })}`;
const operator = `slotcast_operator=${session({ role: 'operator', exp: 9_000 })}`;

test('[X18] one browser may have a console and the status page open at the same time', () => {
	const both = `${clinic}; ${operator}`;
	for (const path of ['/status', '/status/__data.json', '/api/v1/status']) {
		expect(read(both, path).staff).toEqual({ role: 'operator' });
	}
	for (const path of ['/console', '/api/v1/clinic', '/statuses', undefined]) {
		expect(read(both, path)).toMatchObject({
			staff: { role: 'clinic', sourceId },
			staffUntil: 5_000
		});
	}
});

test('[X18] a session of one role does nothing in the cookie of the other', () => {
	const swapped = [
		clinic.replace('slotcast_staff', 'slotcast_operator'),
		operator.replace('slotcast_operator', 'slotcast_staff')
	].join('; ');
	expect(read(swapped, '/status').staff).toBeNull();
	expect(read(swapped, '/console').staff).toBeNull();
});
