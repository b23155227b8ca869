// Which addresses and URLs a source may reach. Checked three times: the URL as written, the answer
// of DNS, and the address the socket is really connected to (a name may change in between).
import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';

/** Loopback, private networks, carrier-grade NAT, unique local: only where an operator vouches. */
const privateNets = new BlockList();
/** Cloud metadata, link-local, multicast, reserved, and tunnels that may hide any of these. */
const neverNets = new BlockList();

for (const [net, bits] of [
	['127.0.0.0', 8],
	['10.0.0.0', 8],
	['172.16.0.0', 12],
	['192.168.0.0', 16],
	['100.64.0.0', 10]
] as const) {
	privateNets.addSubnet(net, bits, 'ipv4');
}
privateNets.addAddress('::1', 'ipv6');
privateNets.addSubnet('fc00::', 7, 'ipv6');

for (const [net, bits] of [
	['0.0.0.0', 8],
	['169.254.0.0', 16],
	['192.0.0.0', 24],
	['192.0.2.0', 24],
	['192.88.99.0', 24],
	['198.18.0.0', 15],
	['198.51.100.0', 24],
	['203.0.113.0', 24],
	['224.0.0.0', 4],
	['240.0.0.0', 4],
	['100.100.100.200', 32],
	['168.63.129.16', 32]
] as const) {
	neverNets.addSubnet(net, bits, 'ipv4');
}
for (const [net, bits] of [
	['::', 128],
	['64:ff9b::', 32],
	['100::', 64],
	['2001::', 23],
	['2001:db8::', 32],
	['2002::', 16],
	['fe80::', 10],
	['fec0::', 10],
	['ff00::', 8],
	['fd00:ec2::254', 128]
] as const) {
	neverNets.addSubnet(net, bits, 'ipv6');
}

export type AddressKind = 'public' | 'private' | 'never';

/** What lies at a numeric address. Text that is no IP address is `never`. */
export const addressKind = (address: string): AddressKind => {
	const bare = address.replace(/%.*$/, '');
	const family = isIP(bare);
	if (family === 0) return 'never';
	const type = family === 4 ? 'ipv4' : 'ipv6';
	if (neverNets.check(bare, type)) return 'never';
	if (privateNets.check(bare, type)) return 'private';
	// ::a.b.c.d (deprecated) reaches IPv4 on some systems; no public host lives in ::/96.
	return family === 6 && /^::[0-9a-f.:]*$/i.test(bare) && !/^::ffff:/i.test(bare)
		? 'never'
		: 'public';
};

/** What one source may reach. */
export type Reach = {
	/** The origin the operator configured, `https://clinic.example`. */
	readonly origin: string;
	/** The operator vouches for private addresses at that origin (never elsewhere). */
	readonly allowPrivate: boolean;
};

const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

/**
 * Why a URL must not be asked, or null. https only (http where private addresses are vouched for),
 * no user-info, no literal address, other origins only on port 443.
 */
export const refusalOfUrl = (url: URL, reach: Reach): string | null => {
	const isHome = url.origin === reach.origin;
	const vouched = isHome && reach.allowPrivate;
	if (url.username !== '' || url.password !== '') return 'The address carries a user name.';
	if (url.protocol !== 'https:' && !(vouched && url.protocol === 'http:')) {
		return 'The address is not https.';
	}
	const host = bareHost(url);
	if (host === '') return 'The address names no host.';
	if (!isHome && url.port !== '') return 'The address is on an unusual port of another host.';
	if (isIP(host) === 0) return null;
	if (!vouched) return 'The address is a bare IP address.';
	return addressKind(host) === 'never' ? 'The address is one that no source may use.' : null;
};

export class AddressRefused extends Error {
	readonly code = 'ADDRESS_REFUSED';
}

const isReachable = (address: string, vouched: boolean): boolean => {
	const kind = addressKind(address);
	return kind === 'public' || (kind === 'private' && vouched);
};

type Resolved = { address: string; family: number };

/** DNS whose answers are refused when any of them may not be reached. */
const guardedLookup =
	(lookup: LookupFunction, vouched: boolean): LookupFunction =>
	(hostname, options, callback) => {
		lookup(hostname, { ...options, all: true }, (error, found) => {
			if (error !== null) return callback(error, '', 0);
			const list: Resolved[] = Array.isArray(found) ? found : [{ address: found, family: 4 }];
			const first = list[0];
			if (first === undefined || !list.every(({ address }) => isReachable(address, vouched))) {
				return callback(new AddressRefused('refused by DNS answer'), '', 0);
			}
			if (options.all === true) callback(null, list);
			else callback(null, first.address, first.family);
		});
	};

export type GuardOptions = {
	readonly reach: Reach;
	readonly connectMs: number;
	readonly lookup?: LookupFunction | undefined;
};

/**
 * A connect function for an undici Agent of one source only: sockets kept open in its pool have all
 * passed the check, which a guard on a shared agent could not promise.
 */
export const createGuardedConnect = (options: GuardOptions): buildConnector.connector => {
	const lookup = options.lookup ?? systemLookup;
	const build = (vouched: boolean): buildConnector.connector =>
		buildConnector({
			timeout: options.connectMs,
			allowH2: false,
			lookup: guardedLookup(lookup, vouched)
		});
	const home = new URL(options.reach.origin);
	const connectHome = build(options.reach.allowPrivate);
	const connectOther = build(false);
	return (target, callback) => {
		const isHome = target.protocol === home.protocol && target.host === home.host;
		const vouched = isHome && options.reach.allowPrivate;
		const host = target.hostname.replace(/^\[|\]$/g, '');
		if (isIP(host) !== 0 && !isReachable(host, vouched)) {
			return callback(new AddressRefused('refused as a literal address'), null);
		}
		return (vouched ? connectHome : connectOther)(target, (...[error, socket]) => {
			if (error !== null) return callback(error, null);
			const remote = socket.remoteAddress ?? '';
			if (isReachable(remote, vouched)) return callback(null, socket);
			socket.destroy();
			return callback(new AddressRefused('refused after connecting'), null);
		});
	};
};
