// What is said of a tap that did not get through.
import { expect, test } from 'vitest';
import { tapTroubleOf } from '../../web/lib/tap-trouble.ts';

test.each([
	[500, 'Internal Error', { kind: 'line' }],
	[500, undefined, { kind: 'line' }],
	[500, '8c1f', { kind: 'fault', id: '8c1f' }],
	[502, 'Bad Gateway', { kind: 'busy' }],
	[503, '8c1f', { kind: 'busy' }],
	[504, 'Gateway Timeout', { kind: 'busy' }],
	[429, 'too_many_requests', { kind: 'many' }],
	[404, 'not_yours', null],
	[403, 'Forbidden', null]
])('[U46] %i "%s" is told as %o', (status, message, trouble) => {
	expect(tapTroubleOf(status, message)).toEqual(trouble);
});
