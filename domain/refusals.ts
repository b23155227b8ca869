// Every refusal of the hub in one table: reason → HTTP status and an English sentence for
// integrators. The screen has its own words per reason (message catalogue). docs/refusals.md is
// checked against this table.

export const refusals = {
	bad_request: { status: 400, text: 'The request was not understood. See "errors" for the field.' },
	push_not_signed: {
		status: 401,
		text: 'No signature or key of this push is that of a source that may push here.'
	},
	push_out_of_time: {
		status: 401,
		text: 'The signed time is more than five minutes from ours. Sign again and resend.'
	},
	not_allowed: { status: 403, text: 'This link or page may not do that.' },
	link_expired: { status: 403, text: 'This private link is no longer valid. Ask for a new one.' },
	link_locked: { status: 403, text: 'Too many wrong dates of birth. Call the clinic.' },
	birth_date_wrong: { status: 403, text: 'This is not the date of birth of this visit.' },
	unknown_specialty: { status: 404, text: 'There is no such specialty. See /api/v1/codes.' },
	unknown_region: { status: 404, text: 'There is no such region. Use an ISO 3166-2 code, US-MT.' },
	unknown_plan: { status: 404, text: 'There is no such plan type. See /api/v1/codes.' },
	unknown_room: { status: 404, text: 'There is no such room.' },
	slot_unknown: { status: 404, text: 'There is no such slot.' },
	schedule_unknown: { status: 404, text: 'There is no such provider.' },
	hold_unknown: { status: 404, text: 'There is no such hold on this device.' },
	booking_unknown: { status: 404, text: 'There is no such booking on this device.' },
	subscription_unknown: { status: 404, text: 'There is no such alert on this device.' },
	source_unknown: { status: 404, text: 'There is no such source.' },
	calendar_unknown: { status: 404, text: 'There is no calendar at this address.' },
	draft_unknown: { status: 404, text: 'This try is older than an hour. Try the source again.' },
	draft_unread: { status: 409, text: 'This source was not read yet. Wait until it was.' },
	source_exists: {
		status: 409,
		text: 'There is a source of this key already. Choose another key.'
	},
	source_gives_nothing: {
		status: 409,
		text: 'The source gave no times. Mend it, or say that it is to be added anyway.'
	},
	waiting_unknown: { status: 404, text: 'This device does not stand in that waiting list.' },
	slot_taken: {
		status: 409,
		text: 'Someone else is booking this time. The nearest free times are listed.'
	},
	slot_gone: { status: 409, text: 'The provider no longer offers this time.' },
	slot_past: { status: 409, text: 'This time has already begun.' },
	too_soon: {
		status: 409,
		text: 'The clinic wants more notice than is left for this time. Call the clinic.'
	},
	hold_limit: {
		status: 409,
		text: 'You already hold as many times as one person may. Let one go first.'
	},
	visit_limit: {
		status: 409,
		text: 'This person has as many visits to come as one may have. Cancel one first, or call the clinic.'
	},
	hold_expired: { status: 410, text: 'The hold ran out. The time is free for everyone again.' },
	calendar_ended: {
		status: 410,
		text: 'This calendar address was ended. The clinic can make a new one on its console.'
	},
	hold_extended: { status: 409, text: 'A hold is extended once. Confirm it, or let it go.' },
	too_late: { status: 409, text: 'This booking can no longer be changed.' },
	booking_unsettled: {
		status: 409,
		text: 'The clinic has not answered about this booking yet. Try again when it has.'
	},
	call_clinic: {
		status: 409,
		text: 'This clinic changes bookings by telephone or on its own page only. Call the clinic.'
	},
	other_clinic: { status: 409, text: 'A visit moves to another time of the same clinic only.' },
	subscription_limit: {
		status: 409,
		text: 'This device already has as many alerts as one may have.'
	},
	waiting_limit: {
		status: 409,
		text: 'This device already stands in as many waiting lists as one may.'
	},
	request_reused: { status: 422, text: 'This request id was used before for something else.' },
	clinic_refused: { status: 422, text: 'The clinic did not accept the booking. Call the clinic.' },
	too_many_rooms: { status: 429, text: 'One connection may follow only so many rooms.' },
	too_many_requests: { status: 429, text: 'Too many requests. Wait, then try again.' },
	something_broke: {
		status: 500,
		text: 'Something broke on our side. Quote the id when you call.'
	},
	busy_try_again: {
		status: 503,
		text: 'The hub is busy or restarting. Try again in a few seconds.'
	}
} as const satisfies Record<string, { readonly status: number; readonly text: string }>;

export type RefusalReason = keyof typeof refusals;
