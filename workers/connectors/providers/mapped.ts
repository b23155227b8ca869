// Connector for vendors' own JSON, GraphQL and CSV, read as the operator's mapping says. Only for
// reading: whoever books does so where the vendor or the operator says.
import { toInstant } from '#domain/time.ts';
import { createComputed, type Compute, type ComputedParts, type PlacedRead } from '../computed.ts';
import type { Connector } from '../connector.ts';
import type { FetchContext } from '../fetch-files.ts';
import { silentFor, silentOf } from '../silent.ts';
import { gatherPages } from './mapped-pages.ts';
import { readMapped } from './mapped-reading.ts';

const compute =
	({ secretOf }: ComputedParts): Compute =>
	async (request, context, window) => {
		const { source, now } = request;
		const { mapping } = source.notes;
		if (mapping === undefined) return silentFor('misconfigured', 'A mapping is needed.', 0);
		const rule = mapping.request.secret;
		const secret = rule === undefined ? null : await secretOf(source.key);
		if (rule !== undefined && secret === null) {
			return silentFor(
				'misconfigured',
				'The mapping names a secret that the hub does not have.',
				0
			);
		}
		const headers = rule === undefined ? {} : { [rule.header]: `${rule.before}${secret}` };
		const withHeaders: FetchContext = { ...context, headers };
		const found = await gatherPages(withHeaders, mapping, window);
		const { pages, fault, files, bytes } = found;
		if (pages.length === 0 && fault !== null) return silentOf(fault, bytes);
		const { schedules, reads } = readMapped(pages, mapping, source);
		const broken = found.broken.map(({ where, reason }): PlacedRead => ({
			where,
			read: { kind: 'bad', reason, scheduleKey: null }
		}));
		const ages = files.map(({ maxAgeMs }) => maxAgeMs).filter((age) => age !== null);
		return {
			reads: [...broken, ...reads],
			schedules,
			isWhole: fault === null,
			// A vendor that tells whom one can see, and not when, says nothing of any slot.
			unread: mapping.slots === undefined ? schedules.map(({ key }) => key) : [],
			listsOnlyFree: mapping.slots?.status === undefined && mapping.slots?.remaining === undefined,
			isJudged: true,
			files,
			validAt: toInstant(files[0]?.dateMs ?? now),
			maxAgeMs: ages.length === 0 ? null : Math.min(...ages),
			cursor: { pages: pages.length },
			bytes
		};
	};

/** Creates the connector. */
export const createMapped = (parts: ComputedParts): Connector => ({
	...createComputed(parts, compute(parts)),
	book: null,
	findBooking: null
});
