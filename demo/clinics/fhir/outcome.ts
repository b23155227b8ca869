// Answers of a FHIR server that are not data: OperationOutcome, and resources as JSON.
import type { Reply } from '../exchange.ts';

const contentType = 'application/fhir+json; charset=utf-8';

/** The issue types of R4 that these servers use. */
export type IssueCode =
	| 'invalid'
	| 'required'
	| 'value'
	| 'not-supported'
	| 'not-found'
	| 'deleted'
	| 'multiple-matches'
	| 'too-costly'
	| 'business-rule'
	| 'conflict';

/** An OperationOutcome with one issue. `diagnostics` never repeats what the asker sent. */
export const outcome = (
	status: number,
	code: IssueCode,
	diagnostics: string,
	headers: Record<string, string> = {}
): Reply => {
	const body = {
		resourceType: 'OperationOutcome',
		issue: [{ severity: 'error', code, diagnostics }]
	};
	return {
		status,
		headers: { 'content-type': contentType, ...headers },
		body: JSON.stringify(body)
	};
};

/** A JSON text as the answer. */
export const fhirText = (
	status: number,
	body: Reply['body'],
	headers: Record<string, string> = {}
): Reply => ({ status, headers: { 'content-type': contentType, ...headers }, body });

export const fhirJson = (
	status: number,
	resource: object,
	headers: Record<string, string> = {}
): Reply => fhirText(status, () => JSON.stringify(resource), headers);

/** ETag and Last-Modified of one version. */
export const versionHeaders = (version: number, updatedAt: number): Record<string, string> => ({
	etag: `W/"${version}"`,
	'last-modified': new Date(updatedAt).toUTCString()
});
