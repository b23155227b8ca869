import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBearerOf, isSignedBy, readPushKeys } from '#server/platform/push-keys.ts';
import { parseConfig } from '#server/platform/config.ts';

const key = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const older = 'an-older-key-of-twenty-four-or-more';

const sign = (secret: Buffer, prefix: string, body: Buffer): string =>
	createHmac('sha256', secret).update(prefix).update(body).digest('base64');

const bytes = (name: string): Buffer => (name === key ? Buffer.alloc(32, 3) : Buffer.from(name));

test('[Y2] a known signature of the standard fits', () => {
	// The example that libraries of the standard check themselves with.
	const body = Buffer.from('{"test": 2432232314}');
	const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
	expect(
		isSignedBy([secret], {
			prefix: 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.',
			body,
			encoding: 'base64',
			signatures: ['g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=']
		})
	).toBe(true);
});

test('[Y2] one changed bit of the prefix, the body or the signature is a refusal', () => {
	fc.assert(
		fc.property(
			fc.uint8Array({ minLength: 1, maxLength: 200 }),
			fc.string({ minLength: 1, maxLength: 60 }),
			fc.nat(),
			fc.constantFrom('body', 'prefix', 'signature'),
			(content, prefix, place, what) => {
				const body = Buffer.from(content);
				const signature = sign(bytes(key), prefix, body);
				const signed = { prefix, body, encoding: 'base64', signatures: [signature] } as const;
				expect(isSignedBy([older, key], signed)).toBe(true);
				const flip = (buffer: Buffer): Buffer => {
					const copy = Buffer.from(buffer);
					const at = place % (copy.length * 8);
					copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
					return copy;
				};
				const wrong = {
					...signed,
					...(what === 'body' && { body: flip(body) }),
					...(what === 'prefix' && { prefix: `${prefix}x` }),
					...(what === 'signature' && {
						signatures: [flip(Buffer.from(signature, 'base64')).toString('base64')]
					})
				};
				expect(isSignedBy([older, key], wrong)).toBe(false);
			}
		)
	);
});

test('[Y2] two keys count during a rotation, a third, a short and a foreign one do not', () => {
	const config = parseConfig({
		HUB_MODE: 'development',
		DATABASE_URL: 'postgres://x@127.0.0.1/x',
		HUB_SOURCE_SECRETS: `big-sky=api-key,big-sky.push=${key}|${older}|${older}3,other.push=short`
	});
	const keys = readPushKeys(config.sourceSecrets, 'big-sky');
	expect(keys).toEqual([key, older]);
	expect(readPushKeys(config.sourceSecrets, 'other')).toEqual([]);
	expect(readPushKeys(config.sourceSecrets, 'nobody')).toEqual([]);
	const body = Buffer.from('{}');
	const signed = (secret: string) => ({
		prefix: 'a.1.',
		body,
		encoding: 'base64' as const,
		signatures: [sign(bytes(secret), 'a.1.', body)]
	});
	expect(keys.map((one) => isSignedBy(keys, signed(one)))).toEqual([true, true]);
	expect(isSignedBy(keys, signed(`${older}3`))).toBe(false);
	expect(isSignedBy([], signed(older))).toBe(false);
});

test('[Y4] the key as a header counts whole and exactly', () => {
	expect(isBearerOf([key, older], `Bearer ${older}`)).toBe(true);
	for (const text of [
		'',
		older,
		`Bearer ${older}x`,
		`Basic ${older}`,
		'Bearer ',
		`Bearer ${older} `
	]) {
		expect(isBearerOf([key, older], text)).toBe(false);
	}
});
