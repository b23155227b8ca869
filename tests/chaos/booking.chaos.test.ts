// The slice of the chaos run that every test run makes: 100,000 attempts while everything is killed.
// `npm run chaos` makes longer ones.
import { expect, test } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { runChaos } from './run-chaos.ts';

const ATTEMPTS = 100_000;
const FAULTS_EACH = 2;

test('[Z13] 100,000 attempts while everything is killed: none booked twice, none lost', async () => {
	const report = await runChaos({
		attempts: ATTEMPTS,
		faultsEach: FAULTS_EACH,
		random: seededRandom()
	});
	process.stdout.write(`${JSON.stringify(report)}\n`);
	expect(report.violations).toEqual([]);
	expect(report.wedged).toBe(0);
	const { counts, faults } = report;
	expect(counts.attempts).toBeGreaterThanOrEqual(ATTEMPTS);
	expect(counts.falseRefusals).toBeLessThanOrEqual(counts.refused / 1_000);
	// Without these it would have shown nothing.
	expect(Math.min(...Object.values(faults))).toBeGreaterThanOrEqual(FAULTS_EACH);
	expect(counts.expiryRaces).toBeGreaterThanOrEqual(100);
	expect(counts.retriedWishes).toBeGreaterThanOrEqual(100);
	expect(report.lostReplies).toBeGreaterThanOrEqual(100);
	expect(counts.booked).toBeGreaterThanOrEqual(100);
	expect(report.overHttp).toBeGreaterThanOrEqual(ATTEMPTS / 20);
});
