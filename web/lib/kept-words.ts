// Why a visit stands although somebody wanted it cancelled, in words.
import type { CancelRefusal } from '#domain/api.ts';
import type { ChangeRefused } from '#domain/booking.ts';
import { m } from './words.ts';

const words: Readonly<Record<ChangeRefused | 'booking_unsettled', () => string>> = {
	clinic_refused: m.visit_kept_clinic_refused,
	too_late: m.visit_kept_too_late,
	call_clinic: m.visit_kept_call_clinic,
	booking_unsettled: m.visit_kept_booking_unsettled
};

export const keptWords = (why: ChangeRefused | CancelRefusal): string =>
	why === 'booking_unknown' || why === 'request_reused' ? m.lost_other() : words[why]();
