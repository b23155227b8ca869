// What the hub puts on each request, and what pages find on `event.locals`.
/// <reference types="@sveltejs/adapter-node" />
import type { HubApi, Visitor } from '#domain/api.ts';
import type { FormValues } from '#lib/patient-fields.ts';
import type { Choice } from '#lib/search-words.ts';

declare global {
	namespace App {
		interface Locals {
			hub: HubApi;
			visitor: Visitor;
			/** The visitor asked for few bytes: no live link until it is asked for. */
			isSavingData: boolean;
		}
		/** U48: a patient's form that could not be taken, as it was sent. */
		interface Typed {
			values: FormValues;
			/** Name and value of what the form carries beside what is typed. */
			carried: (readonly [string, string])[];
			plans: readonly Choice[];
		}
		interface Error {
			typed?: Typed;
		}
	}
}

declare module 'node:http' {
	interface IncomingMessage {
		hub?: HubApi;
		visitor?: Visitor;
		/** Writes a fault of a page into the hub's log; the visitor sees the id. 503 = come back. */
		reportFault?: (error: unknown) => { id: string; status: 500 | 503 };
	}
}
