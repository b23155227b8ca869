// `npm run chaos -- [--attempts 1000000] [--faults 10] [--seed 7]`: the long run. Prints what really happened and
// ends with 1 when anything was booked twice, lost, wedged or left unsettled.
import { parseArgs } from 'node:util';
import { randomFrom } from '../support/random.ts';
import { runChaos } from './run-chaos.ts';

const { values } = parseArgs({
	options: {
		attempts: { type: 'string', default: '100000' },
		faults: { type: 'string', default: '10' },
		seed: { type: 'string', default: String((Date.now() & 0x7fffffff) + 1) }
	}
});

const say = (line: string): void => {
	process.stdout.write(`${line}\n`);
};

say(`seed ${values.seed}`);
const { violations, counts, faults, ...rest } = await runChaos({
	attempts: Number(values.attempts),
	faultsEach: Number(values.faults),
	random: randomFrom(Number(values.seed)),
	onProgress: say
});
for (const [name, count] of Object.entries({ ...counts, ...faults, ...rest })) {
	say(`${name.padEnd(20)} ${Math.round(count).toLocaleString('en-US')}`);
}
for (const violation of violations) say(`VIOLATION ${violation}`);
say(violations.length === 0 && rest.wedged === 0 ? 'no violation' : 'the ledger is broken');
process.exitCode = violations.length === 0 && rest.wedged === 0 ? 0 : 1;
