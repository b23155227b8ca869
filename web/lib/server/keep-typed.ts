// A form that the hub cannot take just now goes back to whoever filled it in, as typed: in the answer
// to the very request and nowhere else. Nothing is read for that page, so it comes without Postgres.
import { error, isHttpError, isRedirect, type RequestEvent } from '@sveltejs/kit';
import { fieldNames } from '../patient-fields.ts';
import { planChoices } from '../search-words.ts';
import { readValues } from './patient-form.ts';

/** What the form carries beside what is typed: which time, which hold, which tap. */
const others = ['holdId', 'nonce', 'slot'] as const;
const MAX_CHARACTERS = 64;

const carriedBy = (form: FormData): (readonly [string, string])[] =>
	others.flatMap((name) => {
		const value = form.get(name);
		return typeof value === 'string' ? [[name, value.slice(0, MAX_CHARACTERS)] as const] : [];
	});

const typedIn = (form: FormData): App.Typed => ({
	values: readValues(form),
	carried: carriedBy(form),
	plans: planChoices()
});

/** U48: what is thrown while `act` runs is answered with the form as it was typed. */
export const keepTyped =
	<Event extends RequestEvent, Answer>(act: (event: Event, form: FormData) => Promise<Answer>) =>
	async (event: Event): Promise<Answer> => {
		const form = await event.request.formData();
		try {
			return await act(event, form);
		} catch (caught) {
			if (isHttpError(caught) || isRedirect(caught)) throw caught;
			const reported = event.platform?.req.reportFault?.(caught);
			if (reported === undefined || !fieldNames.some((name) => form.has(name))) throw caught;
			return error(reported.status, { message: reported.id, typed: typedIn(form) });
		}
	};
