// Gets what the tests need from outside the packages ready ahead of time, and says in one sentence
// what is missing: `npm run test:prepare`.
import { findChromium } from './chromium.ts';
import { findRedisProgram } from './redis-program.ts';

const say = (line: string): void => {
	process.stdout.write(`${line}\n`);
};

try {
	say(`browser: ${(await findChromium(say)).executablePath}`);
	say(`redis: ${(await findRedisProgram(say)).path}`);
} catch (error) {
	say(error instanceof Error ? error.message : String(error));
	process.exitCode = 1;
}
