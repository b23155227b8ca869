// `npm run sim:holds [-- --seed 7 --operations 20000000]`: the simulation of holds, bookings and the
// waiting list, as long as one wants; prints what really happened.
import { parseArgs } from 'node:util';
import { simulate, textOf } from './simulate.ts';

const { values } = parseArgs({
	options: {
		seed: { type: 'string', default: '1' },
		operations: { type: 'string', default: '20000000' }
	}
});
const seed = Number(values.seed);
const operations = Number(values.operations);
if (!(Number.isInteger(seed) && Number.isInteger(operations) && operations > 0)) {
	throw new Error('--seed and --operations are whole numbers');
}
process.stdout.write(`seed ${seed}\n${textOf(await simulate(seed, operations))}\n`);
