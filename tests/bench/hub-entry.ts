// The hub as a process for benchmarks: as `npm start`, but without pages and without rate limits,
// because one address makes all the load.
import { startHub } from '#server/hub.ts';
import { parseConfig } from '#server/platform/config.ts';
import { createLog } from '#server/platform/log.ts';

const config = parseConfig(process.env);
const log = createLog({ name: 'hub', level: config.logLevel });
const unlimited = { quota: 1_000_000_000, windowS: 60 };
const hub = await startHub({
	config,
	log,
	pages: null,
	version: 'bench',
	limits: {
		address: unlimited,
		changes: unlimited,
		enter: unlimited,
		holds: unlimited,
		pushes: unlimited,
		wrongPushes: unlimited
	}
});
process.on('SIGTERM', () => void hub.close().then(() => process.exit(0)));
console.log(`hub_ready port=${hub.port}`);
