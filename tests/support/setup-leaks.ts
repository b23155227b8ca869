// Runs in every test file: fails a test that leaves connections, databases or processes open.
import { afterAll, beforeEach, onTestFinished } from 'vitest';
import { enterTest, leaveScope } from './leaks.ts';

const complain = (left: string[]): void => {
	if (left.length > 0) throw new Error(`left open: ${left.join(', ')}`);
};

beforeEach(({ task }) => {
	enterTest(task.id);
	// Registered first, so it runs last: after the test's own clean-up.
	onTestFinished(async () => complain(await leaveScope(task.id)));
});

afterAll(async () => complain(await leaveScope()));
