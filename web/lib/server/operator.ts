// Who stands behind a request to an operator's page, as the audit shall name them.
import { error } from '@sveltejs/kit';
import type { Operator } from '#domain/source-desk.ts';

/** So much of a device's key (a hash) tells browsers apart; the link itself names nobody. */
const DEVICE_CHARACTERS = 16;

/** E12: without the operator's link nothing of these pages is shown or done. */
export const operatorOf = ({ visitor }: App.Locals): Operator => {
	if (visitor.staff?.role !== 'operator') error(403, 'private_link');
	return `operator:page ${visitor.device.slice(0, DEVICE_CHARACTERS)}`;
};
