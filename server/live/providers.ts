// The namespace /providers: one clinic's bookings and holds as they happen, for whoever holds the
// clinic's private link. The room follows from the link, never from what the socket asks for.
import type { Socket } from 'socket.io';
import type { HubApi } from '#domain/api.ts';
import type { ClinicSnapshot } from '#domain/booking.ts';
import { AcknowledgeBooking, JoinClinic } from '#domain/commands.ts';
import type { SourceId } from '#domain/ids.ts';
import type {
	ClinicChange,
	JoinReply,
	ProviderClientEvents,
	ProviderServerEvents
} from '#domain/protocol.ts';
import { clinicRoom } from '#domain/room.ts';
import { createHandlers } from './handler.ts';
import type { HandlerParts } from './handler.ts';
import type { JoinRequest, Reply, Snapshot } from './join.ts';
import type { Viewer } from './viewer.ts';

export type ProviderSocket = Socket<ProviderClientEvents, ProviderServerEvents>;

export type ProviderParts = HandlerParts & {
	readonly hub: HubApi;
	readonly join: (
		viewer: Viewer,
		request: JoinRequest<ClinicSnapshot>
	) => Promise<Reply<JoinReply<ClinicChange, ClinicSnapshot>>>;
};

const snapshotOf =
	(hub: HubApi, sourceId: SourceId) => async (): Promise<Snapshot<ClinicSnapshot>> => {
		const clinic = await hub.readClinic(sourceId);
		// The link was good at the handshake; a clinic removed since then is a fault, not a refusal.
		if (!clinic.ok) throw new Error(`clinic could not be read: ${clinic.reason}`);
		return { epoch: clinic.value.epoch, seq: clinic.value.seq, value: clinic.value };
	};

/** Wires one socket of the clinic `sourceId`. */
export const attachProvider = (
	parts: ProviderParts,
	socket: ProviderSocket,
	viewer: Viewer,
	sourceId: SourceId
): void => {
	const { hub } = parts;
	const handle = createHandlers<ProviderClientEvents>(parts, viewer);

	socket.on(
		'clinic:join',
		handle('clinic:join', JoinClinic, ({ have }) =>
			parts.join(viewer, {
				room: clinicRoom(sourceId),
				have,
				takeSnapshot: snapshotOf(hub, sourceId)
			})
		)
	);
	socket.on(
		'booking:acknowledge',
		handle('booking:acknowledge', AcknowledgeBooking, async ({ bookingId }) => ({
			reply: await hub.acknowledgeBooking(sourceId, bookingId)
		}))
	);
};
