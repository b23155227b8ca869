// The order of test files: kinds with the longest files first, so that none of them is still running
// alone when everything else has ended. Within a kind those that take longer than their size tells
// (they start whole systems and wait for them), then as Vitest orders them: the largest first.
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

const kinds = ['sim', 'e2e', 'hub', 'pg', 'redis', 'unit', 'chaos'];

const longerThanTheyLook = /\/(start|viewer-counts|kills|silence|waiting)\.(hub|e2e)\.test\.ts$/;

const rankOf = ({ project, moduleId }: TestSpecification): number =>
	2 * kinds.indexOf(project.name) + (longerThanTheyLook.test(moduleId) ? 0 : 1);

export class LongestKindFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
	}
}
