// The namespace /providers: one clinic's bookings and holds as they happen, for whoever holds the
// clinic's private link. The room follows from the link, never from what the socket asks for.
import type { HubApi } from '#domain/api.ts';
import type { ClinicSnapshot } from '#domain/booking.ts';
import { AcknowledgeBooking, JoinClinic } from '#domain/commands.ts';
import type { SourceId } from '#domain/ids.ts';
import type { ClinicChange, JoinReply, ProviderClientEvents } from '#domain/protocol.ts';
import { refuse } from '#domain/result.ts';
import { clinicRoom } from '#domain/room.ts';
import { createHandlers } from './handler.ts';
import type { Handler, HandlerParts, Handlers } from './handler.ts';
import type { JoinRequest, Reply, Snapshot } from './join.ts';
import type { Viewer } from './viewer.ts';

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

/** The clinic follows from the viewer's session. */
export const providerHandlers = ({ hub, join, ...parts }: ProviderParts): Handlers => {
	const handle = createHandlers<ProviderClientEvents>(parts);
	return new Map<string, Handler>([
		handle('clinic:join', JoinClinic, async (viewer, { have }) => {
			const { sourceId } = viewer;
			if (sourceId === null) return { reply: refuse('not_allowed') };
			const takeSnapshot = snapshotOf(hub, sourceId);
			return await join(viewer, { room: clinicRoom(sourceId), have, takeSnapshot });
		}),
		handle('booking:acknowledge', AcknowledgeBooking, async ({ sourceId }, { bookingId }) => ({
			reply:
				sourceId === null
					? refuse('not_allowed')
					: await hub.acknowledgeBooking(sourceId, bookingId)
		}))
	]);
};
