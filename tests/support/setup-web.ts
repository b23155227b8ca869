// Vitest global setup of the browser tests: the pages are built and the browser is unpacked before
// the first test's clock starts.
import { findChromium } from '../../ops/embedded/chromium.ts';
import { ensureWebBuilt } from '../../ops/build-web.ts';

const say = (line: string): void => {
	process.stdout.write(`web: ${line}\n`);
};

export const setup = async (): Promise<void> => {
	await ensureWebBuilt(say);
	await findChromium(say);
};
