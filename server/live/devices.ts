// Which viewers belong to which device, for hints about its own holds, bookings and alerts.
import type { DeviceKey } from '#domain/ids.ts';
import type { Viewer } from './viewer.ts';

export type Devices = {
	/** A viewer without a device is not kept. */
	add(viewer: Viewer): void;
	remove(viewer: Viewer): void;
	of(device: DeviceKey): readonly Viewer[];
};

export const createDevices = (): Devices => {
	const byDevice = new Map<DeviceKey, Set<Viewer>>();
	return {
		add: (viewer) => {
			if (viewer.device === null) return;
			const viewers = byDevice.get(viewer.device) ?? new Set();
			byDevice.set(viewer.device, viewers.add(viewer));
		},
		remove: (viewer) => {
			if (viewer.device === null) return;
			const viewers = byDevice.get(viewer.device);
			viewers?.delete(viewer);
			if (viewers?.size === 0) byDevice.delete(viewer.device);
		},
		of: (device) => [...(byDevice.get(device) ?? [])]
	};
};
