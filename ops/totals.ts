// Adds up a test run, so that whatever went wrong counts as failed.

type Assertion = { status: string };
type Suite = { status: string; assertionResults: Assertion[] };

/** The part of Vitest's JSON report that we read. */
export type Report = { success: boolean; testResults: Suite[] };

export type Totals = { passed: number; failed: number; notRun: number };

/**
 * Adds up a run. `report` is null when the runner died before it wrote one; `exitCode` is what the
 * runner ended with (null: killed). A suite that failed without a failed test counts as one.
 */
export const countTotals = (report: Report | null, exitCode: number | null): Totals => {
	const suites = report?.testResults ?? [];
	const tests = suites.flatMap((suite) => suite.assertionResults);
	const brokenSuites = suites.filter(
		(suite) =>
			suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed')
	).length;
	const passed = tests.filter((test) => test.status === 'passed').length;
	const failedTests = tests.filter((test) => test.status === 'failed').length;
	const failed = failedTests + brokenSuites;
	const wentWell = exitCode === 0 && report !== null && report.success && passed > 0;
	return {
		passed,
		failed: wentWell ? failed : Math.max(1, failed),
		notRun: tests.length - passed - failedTests
	};
};

export const lastLine = (totals: Totals): string =>
	`${totals.passed} passed, ${totals.failed} failed`;
