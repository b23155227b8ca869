// A mapping: how to read slots and schedules out of a vendor's own JSON, GraphQL or CSV, declared
// by an operator so that a new vendor needs no code. Only data; read by the `mapped` connector.
import { z } from 'zod';
import { visitKinds } from './codes.ts';

const step = String.raw`[^.[\]{}\s][^.[\]{}]{0,60}`;
const many = String.raw`(?:\[\*\])*`;

/**
 * Where something stands: names with dots between them, `[*]` for each element of a list or each
 * value of an object. Nothing else: no filters, no indexes, no expressions.
 */
const Path = z
	.string()
	.max(200)
	.regex(
		new RegExp(String.raw`^(?:${step}${many}|\[\*\]${many})(?:\.${step}${many})*$`),
		'not a path'
	);

const Word = z.string().max(200);
const Words = z.record(z.string().max(100), Word);

/**
 * A text: found at a path, the same for all, or found and put into our words; `otherwise` stands
 * for words that are not listed.
 */
const Text = z.union([
	Path,
	z.strictObject({ always: Word }),
	z.strictObject({ at: Path, words: Words.optional(), otherwise: Word.optional() })
]);
export type TextRule = z.infer<typeof Text>;

/**
 * One level of nesting: each thing `at` is called `as` in the paths of the levels below it and of
 * the fields. The first level is looked for in the whole answer, the next in the one before.
 */
const Level = z.strictObject({ as: z.string().regex(/^[a-z][a-z0-9_]{0,30}$/), at: Path });
const Levels = z.array(Level).min(1).max(6);
export type MappedLevel = z.infer<typeof Level>;

/**
 * A time. `instant`: with its offset. `utc`, `wall`: without (or with one that is not to be
 * believed), in UTC or in the zone of its schedule. Two paths: the date and the time of day.
 */
const Time = z.strictObject({
	at: z.union([Path, z.tuple([Path, Path])]),
	as: z.enum(['instant', 'utc', 'wall', 'epoch-seconds', 'epoch-ms']),
	/** Order of a date written with slashes, dots or dashes; ISO when left out. */
	order: z.enum(['ymd', 'mdy', 'dmy']).default('ymd')
});
export type TimeRule = z.infer<typeof Time>;

const Slots = z.strictObject({
	each: Levels,
	/** Key of a schedule; the only one when left out. */
	schedule: Text.optional(),
	start: Time,
	end: Time.optional(),
	/** Length where no end is told: minutes, or where they stand. */
	minutes: z.union([z.int().min(1).max(1_440), Path]).optional(),
	id: Text.optional(),
	/** In the words of FHIR: free, busy, busy-unavailable, busy-tentative. Left out = all are free. */
	status: Text.optional(),
	/** Places left. Without a status, a slot with none is busy. */
	remaining: Path.optional(),
	capacity: Path.optional(),
	service: Text.optional(),
	version: Text.optional(),
	bookUrl: Text.optional(),
	bookPhone: Text.optional()
});
export type MappedSlots = z.infer<typeof Slots>;

const Schedules = z.strictObject({
	each: Levels,
	key: Text,
	name: Text.optional(),
	npi: Text.optional(),
	organization: Text.optional(),
	phone: Text.optional(),
	/** An IANA zone; an abbreviation such as EST is put into one by `words`. */
	zone: Text.optional(),
	/** State of the address: `MT`, `US-MT` or `Montana`. */
	state: Text.optional(),
	specialty: Text.optional(),
	kinds: z.strictObject({ at: Path, words: z.record(z.string(), z.enum(visitKinds)) }).optional(),
	/** Of several records under one key the one with the greatest value here counts. */
	newest: Path.optional()
});
export type MappedSchedules = z.infer<typeof Schedules>;

const Paging = z.discriminatedUnion('by', [
	/** The address of the next page stands in the answer. */
	z.strictObject({ by: z.literal('link'), at: Path }),
	/** A token for the next page stands in the answer. */
	z.strictObject({ by: z.literal('cursor'), at: Path, parameter: Word }),
	/** Pages are counted; one without records is the end. */
	z.strictObject({
		by: z.literal('page'),
		parameter: Word,
		first: z.int().min(0).max(1).default(1)
	}),
	/** Records are counted. */
	z.strictObject({ by: z.literal('offset'), parameter: Word, size: z.int().min(1).max(10_000) })
]);

/**
 * In values, `{from}` and `{to}` stand for the ends of the window as UTC instants, `{fromDate}` and
 * `{toDate}` for their UTC dates.
 */
const Request = z.strictObject({
	query: z.record(z.string().max(60), Word).default({}),
	/** Sent by POST as `{query, variables}`; paging then sets variables. */
	graphql: z
		.strictObject({
			query: z.string().min(1).max(10_000),
			variables: z.record(z.string().max(60), z.json()).default({})
		})
		.optional(),
	/** The header that carries the source's secret, and what stands before it. */
	secret: z
		.strictObject({
			header: z
				.string()
				.regex(/^(?!host$|connection$|content-|transfer-|accept)[A-Za-z0-9-]{1,60}$/i),
			before: Word.default('')
		})
		.optional()
});

export const Mapping = z
	.strictObject({
		format: z.enum(['json', 'csv']),
		/** CSV: what stands between two fields. */
		delimiter: z.string().length(1).default(','),
		request: Request.default({ query: {} }),
		paging: Paging.optional(),
		schedules: Schedules.optional(),
		/** Left out: the vendor tells whom one can see, not when. */
		slots: Slots.optional()
	})
	.refine(
		({ schedules, slots }) => schedules !== undefined || slots !== undefined,
		'neither schedules nor slots'
	)
	.refine(
		({ slots }) => slots === undefined || slots.end !== undefined || slots.minutes !== undefined,
		'slots have neither an end nor a length'
	);
export type Mapping = z.infer<typeof Mapping>;
