// One slot over FHIR: conditional read, version-aware update of its status, and history.
import type { Ask, Reply } from '../exchange.ts';
import { namesEtag } from '../exchange.ts';
import type { SlotChange, Slot } from '../slot-book.ts';
import { isRecord } from './appointment-record.ts';
import { API_HOLDER, parseJson } from './appointment-routes.ts';
import type { FhirContext } from './context.ts';
import { fhirText, outcome, versionHeaders } from './outcome.ts';

const right = { wrongOffset: false, repeatedIds: false };

/** How long the clinic keeps a slot that an API client made tentative. */
const API_HOLD_MS = 600_000;
const HISTORY_PAGE = 1000;

const slotReply = (context: FhirContext, slot: Slot): Reply =>
	fhirText(200, () => context.texts(slot, right), versionHeaders(slot.version, slot.updatedAt));

/** GET Slot/[id]: 410 for a slot that was taken out of the calendar. */
export const readSlot = ({ clinic, ...context }: FhirContext, id: string): Reply => {
	const slot = clinic.slots.get(id);
	if (slot !== undefined) return slotReply({ clinic, ...context }, slot);
	const gone = clinic.slots.history().changes.some((each) => each.slot.id === id);
	return gone ? outcome(410, 'deleted', 'Slot removed') : outcome(404, 'not-found', 'No such slot');
};

type Wish = { status: 'free' | 'busy' | 'busy-tentative' };

const readWish = (body: unknown, id: string): Wish | null => {
	if (!isRecord(body) || body['resourceType'] !== 'Slot' || body['id'] !== id) return null;
	const { status } = body;
	return status === 'free' || status === 'busy' || status === 'busy-tentative' ? { status } : null;
};

const decideMove = (context: FhirContext, slot: Slot, { status }: Wish): Reply | null => {
	const mine = slot.status === 'busy-tentative' && slot.heldBy === API_HOLDER;
	const conflict = outcome(409, 'conflict', 'The slot is not free any more');
	if (status === 'busy-tentative') return slot.status === 'free' || mine ? null : conflict;
	if (context.clinic.isKept(slot.id)) {
		const rule = 'An appointment stands on this slot';
		return status === 'free' ? outcome(422, 'business-rule', rule) : null;
	}
	return mine || slot.status === 'free' || slot.status === status ? null : conflict;
};

/** PUT Slot/[id] with If-Match; only the status is taken from the body. */
export const updateSlot = (context: FhirContext, ask: Ask, id: string): Reply => {
	const { clinic, profile } = context;
	if (!profile.slotWritable) {
		return outcome(405, 'not-supported', 'Slots are read-only here', {
			allow: 'GET'
		});
	}
	const slot = clinic.slots.get(id);
	if (slot === undefined) return outcome(404, 'not-found', 'No such slot');
	const condition = ask.headers['if-match'];
	if (condition === undefined) return outcome(400, 'required', 'If-Match is required');
	if (!namesEtag(condition, `W/"${slot.version}"`)) {
		return outcome(profile.staleStatus, 'conflict', 'The slot has changed meanwhile');
	}
	const body = parseJson(ask.body);
	const wish = readWish(body, id);
	if (wish === null) return outcome(400, 'invalid', 'A Slot with this id and a status is expected');
	const refusal = decideMove(context, slot, wish);
	if (refusal !== null) return refusal;
	const held = wish.status === 'busy-tentative';
	const patched = clinic.slots.patch(id, {
		status: wish.status,
		...(held && { heldBy: API_HOLDER, heldUntil: clinic.now() + API_HOLD_MS })
	});
	return patched.ok ? slotReply(context, patched.value) : outcome(404, 'not-found', 'No such slot');
};

const historyEntry = (context: FhirContext, base: string, change: SlotChange): string => {
	const url = `Slot/${change.slot.id}`;
	const head = `"fullUrl":${JSON.stringify(`${base}/${url}`)}`;
	const at = new Date(change.at).toISOString();
	if (change.kind === 'removed') {
		return `{${head},"request":{"method":"DELETE","url":"${url}"},"response":{"status":"204","lastModified":"${at}"}}`;
	}
	const [method, status] = change.slot.version === 1 ? ['POST', '201'] : ['PUT', '200'];
	const response = `{"status":"${status}","lastModified":"${at}","etag":"W/\\"${change.slot.version}\\""}`;
	return `{${head},"resource":${context.texts(change.slot, right)},"request":{"method":"${method}","url":"${url}"},"response":${response}}`;
};

/** GET Slot/_history?_since: newest first; refused when more was forgotten than was asked for. */
export const slotHistory = (context: FhirContext, ask: Ask, base: string): Reply => {
	if (!context.profile.history) return outcome(405, 'not-supported', 'No history here');
	const since = Date.parse(ask.url.searchParams.get('_since') ?? '');
	if (Number.isNaN(since)) return outcome(400, 'required', '_since with an instant is required');
	const known = context.clinic.slots.history();
	const changes = known.changes.filter((change) => change.at >= since).toReversed();
	if (changes.length > HISTORY_PAGE || since < known.since) {
		return outcome(400, 'too-costly', 'Too long ago: list the slots instead');
	}
	const self = JSON.stringify([{ relation: 'self', url: ask.url.href }]);
	const entries = changes.map((change) => historyEntry(context, base, change)).join(',');
	const entry = changes.length === 0 ? '' : `,"entry":[${entries}]`;
	return fhirText(
		200,
		`{"resourceType":"Bundle","type":"history","total":${changes.length},"link":${self}${entry}}`
	);
};
