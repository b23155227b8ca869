// The order of test files: kinds with the longest files first, so that none of them is still running
// alone when everything else has ended. Within a kind as Vitest orders them.
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

const kinds = ['sim', 'e2e', 'hub', 'pg', 'redis', 'unit', 'chaos'];

const rankOf = ({ project }: TestSpecification): number => kinds.indexOf(project.name);

export class LongestKindFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
	}
}
