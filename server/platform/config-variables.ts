// Every environment variable of the hub: its shape, its meaning and what holds when it is left out.
// .env.example is made from this table.
import { z } from 'zod';
import { HOLD_TTL_MS, MAX_HOLDS_PER_DEVICE, MAX_HOLDS_PER_HOUR } from '#domain/hold.ts';
import { MAX_VISITS_PER_PERSON } from '#domain/person.ts';

export type PhiKey = { readonly id: string; readonly key: Buffer };

export type VariableNote = {
	readonly name: string;
	/** One line for .env.example. */
	readonly meaning: string;
	/** Left out = required. */
	readonly fallback?: string;
	/** Shown, commented out, for a required one. */
	readonly example?: string;
};

export const notes = z.registry<VariableNote>();

const KEY_BYTES = 32;
export const howToMakeKey = `node -e "console.log(require('node:crypto').randomBytes(32).toString('base64'))"`;

/** Published here, so worth nothing: they only spare developers a step. */
export const developmentKeys = {
	phi: `dev:${Buffer.alloc(KEY_BYTES, 'slotcast development').toString('base64')}`,
	link: Buffer.alloc(KEY_BYTES, 'slotcast development link').toString('base64')
} as const;

const decodeKey = (text: string): Buffer | null => {
	const key = Buffer.from(text, 'base64');
	return key.length === KEY_BYTES ? key : null;
};

const whole = (from: number, to: number) =>
	z
		.string()
		.regex(/^\d{1,12}$/, `must be a whole number from ${from} to ${to}`)
		.transform(Number)
		.refine((n) => n >= from && n <= to, `must be a whole number from ${from} to ${to}`);

const yesOrNo = z
	.enum(['true', 'false'], 'must be true or false')
	.transform((text) => text === 'true');

const address = (schemes: readonly string[]) =>
	z.string().refine(
		(text) => {
			const scheme = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : '';
			return schemes.includes(scheme);
		},
		`must be an address that begins with ${schemes.map((s) => `${s}://`).join(' or ')}`
	);

const originOf = (text: string): string | null => {
	if (!URL.canParse(text)) return null;
	const { origin, protocol } = new URL(text);
	return protocol === 'http:' || protocol === 'https:' ? origin : null;
};

const origins = z.string().transform((text, context) => {
	const found: string[] = [];
	for (const part of text.split(',').map((item) => item.trim())) {
		const origin = part === '' ? null : originOf(part);
		if (origin !== null) found.push(origin);
		else if (part !== '') context.addIssue(`holds "${part.slice(0, 80)}", which is no web address`);
	}
	return found;
});

const phiKeys = z.string().transform((text, context) => {
	const found = new Map<string, PhiKey>();
	for (const part of text.split(',').map((item) => item.trim())) {
		const [, id = '', encoded = ''] = /^([a-z0-9-]{1,20}):(.+)$/.exec(part) ?? [];
		const key = decodeKey(encoded);
		if (id === '' || key === null) {
			context.addIssue(
				`must be id:key pairs separated by commas, each key 32 bytes in base64. Make one: ${howToMakeKey}`
			);
			return [];
		}
		if (found.has(id)) context.addIssue(`names the key "${id}" twice`);
		found.set(id, { id, key });
	}
	return [...found.values()];
});

const sourceSecrets = z.string().transform((text, context) => {
	const found = new Map<string, string>();
	for (const part of text.split(',').map((item) => item.trim())) {
		const [, key = '', secret = ''] =
			/^([a-z0-9-]{2,60}(?:\.push)?)=([\x21-\x7e]+)$/.exec(part) ?? [];
		if (key !== '') found.set(key, secret);
		// What was given is a secret: it is not repeated.
		else if (part !== '') context.addIssue('must be source=secret pairs separated by commas');
	}
	return found;
});

const linkKey = z.string().transform((text, context) => {
	const key = decodeKey(text);
	if (key !== null) return key;
	context.addIssue(`must be 32 bytes in base64. Make one: ${howToMakeKey}`);
	return Buffer.alloc(0);
});

const levels = ['error', 'warn', 'info', 'debug', 'silent'] as const;

/** In the order of .env.example. */
export const variables = {
	mode: z.enum(['production', 'development'], 'must be production or development').register(notes, {
		name: 'HUB_MODE',
		meaning: 'production or development. Development has published keys: never for real patients.',
		fallback: 'production'
	}),
	databaseUrl: address(['postgres', 'postgresql']).register(notes, {
		name: 'DATABASE_URL',
		meaning: 'PostgreSQL 15 or newer: the only truth. The user must own the database.',
		example: 'postgres://slotcast:secret@127.0.0.1:5432/slotcast'
	}),
	databasePool: whole(2, 100).register(notes, {
		name: 'HUB_DATABASE_POOL',
		meaning:
			'Most connections of one process to PostgreSQL; a hub has one more, which asks whether it answers.',
		fallback: '10'
	}),
	redisUrl: address(['redis', 'rediss']).register(notes, {
		name: 'REDIS_URL',
		meaning: 'Redis 6.2 or newer (maxmemory-policy noeviction): hints, queues, rate limits.',
		fallback: 'redis://127.0.0.1:6379'
	}),
	redisPrefix: z
		.string()
		.regex(/^[a-z0-9-]{1,40}$/, 'must be lower-case letters, digits and -')
		.register(notes, {
			name: 'HUB_REDIS_PREFIX',
			meaning: 'Begins every key and channel, so that hubs can share one Redis.',
			fallback: 'slotcast'
		}),
	port: whole(0, 65_535).register(notes, {
		name: 'PORT',
		meaning: 'Port of the hub; 0 takes a free one.',
		fallback: '3000'
	}),
	host: z
		.string()
		.regex(/^[0-9a-zA-Z.:-]{1,100}$/, 'must be an address or a host name')
		.register(notes, {
			name: 'HUB_HOST',
			meaning: 'Address the hub listens on; 0.0.0.0 for all.',
			fallback: '127.0.0.1'
		}),
	publicUrl: address(['http', 'https'])
		.transform((text) => text.replace(/\/+$/, ''))
		.register(notes, {
			name: 'HUB_PUBLIC_URL',
			meaning: 'Where browsers reach the hub. With https, cookies are marked secure.',
			fallback: 'http://localhost:3000'
		}),
	allowedOrigins: origins.register(notes, {
		name: 'HUB_ALLOWED_ORIGINS',
		meaning: 'Further origins whose pages may connect, separated by commas.',
		fallback: ''
	}),
	phiKeys: phiKeys.register(notes, {
		name: 'HUB_PHI_KEYS',
		meaning: 'Keys of patient data, id:base64 separated by commas, current first.',
		example: 'k1:<32 random bytes in base64>'
	}),
	linkKey: linkKey.register(notes, {
		name: 'HUB_LINK_KEY',
		meaning: 'Key that signs the private links of clinics and operators.',
		example: '<32 random bytes in base64>'
	}),
	logLevel: z.enum(levels, `must be one of ${levels.join(', ')}`).register(notes, {
		name: 'HUB_LOG_LEVEL',
		meaning: 'error, warn, info, debug or silent.',
		fallback: 'info'
	}),
	trustProxy: whole(0, 10).register(notes, {
		name: 'HUB_TRUST_PROXY',
		meaning: 'How many proxies in front may tell the caller address (X-Forwarded-For).',
		fallback: '0'
	}),
	workerConcurrency: whole(1, 200).register(notes, {
		name: 'HUB_WORKER_CONCURRENCY',
		meaning: 'Polls that one worker process runs at a time.',
		fallback: '8'
	}),
	pollsPerSecond: whole(1, 10_000).register(notes, {
		name: 'HUB_POLLS_PER_SECOND',
		meaning: 'Polls a second that all workers together may spend (an unchanged answer is a tenth).',
		fallback: '50'
	}),
	hostConcurrency: whole(1, 100).register(notes, {
		name: 'HUB_HOST_CONCURRENCY',
		meaning: 'Reads of one host that may be under way at a time, over all workers.',
		fallback: '1'
	}),
	allowPrivateSources: yesOrNo.register(notes, {
		name: 'HUB_ALLOW_PRIVATE_SOURCES',
		meaning: 'Whether sources may be at private addresses (loopback, clinic network).',
		fallback: 'false'
	}),
	sourceSecrets: sourceSecrets.register(notes, {
		name: 'HUB_SOURCE_SECRETS',
		meaning:
			'Keys that sources ask for, source=secret, and keys they push with, source.push=key, separated by commas.',
		fallback: ''
	}),
	rawAnswerBytes: whole(0, 104_857_600).register(notes, {
		name: 'HUB_RAW_ANSWER_BYTES',
		meaning: 'Largest answer of a source kept for a day to be read again, compressed; 0: none.',
		fallback: '1048576'
	}),
	holdTtlMs: whole(1_000, 3_600_000).register(notes, {
		name: 'HUB_HOLD_TTL_MS',
		meaning: 'How long a patient may hold a time, ms.',
		fallback: String(HOLD_TTL_MS)
	}),
	maxHoldsPerDevice: whole(1, 100).register(notes, {
		name: 'HUB_MAX_HOLDS_PER_DEVICE',
		meaning: 'Times one device may hold at once.',
		fallback: String(MAX_HOLDS_PER_DEVICE)
	}),
	maxVisitsPerPerson: whole(1, 100_000).register(notes, {
		name: 'HUB_MAX_VISITS_PER_PERSON',
		meaning: 'Visits to come that one person may have, whatever the device.',
		fallback: String(MAX_VISITS_PER_PERSON)
	}),
	maxHoldsPerHour: whole(1, 100_000).register(notes, {
		name: 'HUB_MAX_HOLDS_PER_HOUR',
		meaning: 'Holds one device may place in an hour.',
		fallback: String(MAX_HOLDS_PER_HOUR)
	}),
	maxSockets: whole(1, 100_000).register(notes, {
		name: 'HUB_MAX_SOCKETS',
		meaning: 'Viewers one hub process accepts.',
		fallback: '20000'
	}),
	maxSocketsPerAddress: whole(1, 100_000).register(notes, {
		name: 'HUB_MAX_SOCKETS_PER_ADDRESS',
		meaning: 'Viewers one network address may have.',
		fallback: '100'
	}),
	maxHoldsPerAddress: whole(1, 100_000).register(notes, {
		name: 'HUB_MAX_HOLDS_PER_ADDRESS',
		meaning: 'Holds one network address may place in a minute, at one hub process.',
		fallback: '40'
	}),
	smtpUrl: z.union([z.literal(''), address(['smtp', 'smtps'])]).register(notes, {
		name: 'HUB_SMTP_URL',
		meaning: 'Mail server, smtp:// or smtps://, user and secret included. Empty: no e-mails.',
		fallback: ''
	}),
	mailFrom: z.email('must be an e-mail address').register(notes, {
		name: 'HUB_MAIL_FROM',
		meaning: 'Address that e-mails to patients come from.',
		fallback: 'visits@slotcast.example'
	}),
	drainMs: whole(0, 600_000).register(notes, {
		name: 'HUB_DRAIN_MS',
		meaning: 'Time to finish what is under way after SIGTERM, ms.',
		fallback: '10000'
	}),
	changeLogDays: whole(1, 365).register(notes, {
		name: 'HUB_CHANGE_LOG_DAYS',
		meaning: 'Days the change log reaches back; older viewers get a snapshot.',
		fallback: '3'
	}),
	slotDays: whole(1, 3_650).register(notes, {
		name: 'HUB_SLOT_DAYS',
		meaning: 'Days past times without a booking are kept.',
		fallback: '30'
	}),
	patientDays: whole(1, 3_650).register(notes, {
		name: 'HUB_PATIENT_DAYS',
		meaning: 'Days after the last visit until the details of a patient are destroyed for good.',
		fallback: '365'
	}),
	upkeepCron: z
		.string()
		.regex(/^(\S+ ){4,5}\S+$/, 'must be a cron line of 5 or 6 fields')
		.register(notes, {
			name: 'HUB_UPKEEP_CRON',
			meaning: 'When the nightly upkeep runs (cron line, UTC).',
			fallback: '17 8 * * *'
		})
};
