// Reads one source once and in full, outside the polls: what an operator sees before anything of it
// is published. The same connectors and the same HTTP client as the polls; nothing is kept.
import type { Answer } from '#domain/answer.ts';
import type { SourceSettings } from '#domain/source.ts';
import { SECOND_MS, toInstant } from '#domain/time.ts';
import { createConnectors, type ConnectorsOptions } from './connectors.ts';
import { silentFor } from './silent.ts';

/** Longest that anybody waits for a try, ms. */
export const TRY_MS = 60 * SECOND_MS;

export type Wish = {
	readonly settings: SourceSettings;
	readonly secret: string | null;
	/** As if it were then (recorded answers); now when left out. */
	readonly nowMs?: number;
	/** Ends it earlier. */
	readonly signal?: AbortSignal;
};

/** Never fails for what the source does, nor for a connector that chokes on it. */
export const askOnce = async (
	options: Omit<ConnectorsOptions, 'secretOf'>,
	{ settings, secret, nowMs = Date.now(), signal }: Wish
): Promise<Answer> => {
	const late = AbortSignal.timeout(TRY_MS);
	const connectors = createConnectors({ ...options, secretOf: async () => secret });
	try {
		return await connectors[settings.kind].poll({
			source: settings,
			cursor: {},
			basis: null,
			token: 'tried',
			now: toInstant(nowMs),
			wantFull: true,
			signal: signal === undefined ? late : AbortSignal.any([late, signal])
		});
	} catch {
		return silentFor('not_understood', 'The connector failed on this answer.', 0);
	} finally {
		await connectors.close();
	}
};
