// Pages for the staff of one clinic only.
import { error } from '@sveltejs/kit';
import type { SourceId } from '#domain/ids.ts';

/** Throws the error page that asks for the private link. */
export const clinicOf = ({ visitor }: App.Locals): SourceId => {
	if (visitor.staff?.role !== 'clinic') error(403, 'private_link');
	return visitor.staff.sourceId;
};
