// A publication: the files of one moment, named by a manifest. Draft publishers give new content a
// new URL and keep the old files a while; 1.0 publishers change the files in place.
import { createHash } from 'node:crypto';
import { must } from '#domain/result.ts';
import type { Clinic } from '../clinic.ts';
import type { LinksProfile } from '../profiles.ts';
import type { Slot } from '../slot-book.ts';
import type { Distortion, SlotTexts } from '../slot-record.ts';
import type { DirectoryRecord } from '../wire.ts';

export type PublishedFile = {
	type: string;
	path: string;
	/** USPS codes of the regions the file is about. */
	states: readonly string[];
	etag: string;
	modifiedAt: number;
	/** The NDJSON text; slots as distorted. */
	body: (distortion: Distortion) => string;
};

export type Publication = {
	revision: number;
	at: number;
	files: readonly PublishedFile[];
	/** Files of DELETE lines; only in answers to `_since`. */
	deleted: readonly PublishedFile[];
};

export type Publisher = {
	/** The publication of now. */
	current: () => Publication;
	/** What changed since an instant, or null when this is not offered or too long ago. */
	since: (at: number) => Publication | null;
	/** A file by its path, also one of an earlier publication while it is kept. */
	file: (path: string) => PublishedFile | undefined;
};

const KEPT_FILES = 48;
const right: Distortion = { wrongOffset: false, repeatedIds: false };

type Parts = {
	clinic: Clinic;
	profile: LinksProfile;
	records: readonly DirectoryRecord[];
	texts: SlotTexts;
};

type Draft = { type: string; name: string; states: readonly string[]; mark: string } & Pick<
	PublishedFile,
	'body'
>;

const hash = (text: string): string => createHash('sha1').update(text).digest('hex').slice(0, 16);

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');

/** The text is made once, when somebody asks for it. */
const keptText = (make: (distortion: Distortion) => string): PublishedFile['body'] => {
	let known: string | null = null;
	return (distortion) => {
		if (distortion.wrongOffset || distortion.repeatedIds) return make(distortion);
		return (known ??= make(right));
	};
};

const directoryDrafts = ({ records, clinic }: Parts): Draft[] => {
	const states = [...new Set(clinic.organisation.practitioners.flatMap((each) => each.regions))];
	const byType = Map.groupBy(records, (record) => record.resourceType);
	return [...byType].map(([type, members]) => {
		const text = lines(members.map((record) => JSON.stringify(record)));
		return {
			type,
			name: type.toLowerCase(),
			states: states.toSorted(),
			mark: text,
			body: () => text
		};
	});
};

/** One Slot file for each home region. */
const slotDrafts = (parts: Parts, slots: readonly Slot[]): Draft[] => {
	const people = new Map(parts.clinic.organisation.practitioners.map((each) => [each.id, each]));
	const homeOf = (slot: Slot): string => must(people.get(slot.practitionerId), 'practitioner').home;
	const byHome = Map.groupBy(slots, homeOf);
	return parts.clinic.organisation.profile.homes.map((home) => {
		const mine = byHome.get(home) ?? [];
		const licensed = [...people.values()].filter((person) => person.home === home);
		const states = [...new Set([home, ...licensed.flatMap((person) => person.regions)])].toSorted();
		return {
			type: 'Slot',
			name: `slot-${home.toLowerCase()}`,
			states,
			mark: mine.map((slot) => `${slot.id}:${slot.version}`).join(),
			body: keptText((wrong) => lines(mine.map((slot) => parts.texts(slot, wrong))))
		};
	});
};

const deletedDraft = (ids: readonly string[]): Draft => {
	const text = lines(
		ids.map((id) =>
			JSON.stringify({
				resourceType: 'Bundle',
				type: 'transaction',
				entry: [{ request: { method: 'DELETE', url: `Slot/${id}` } }]
			})
		)
	);
	return { type: 'Bundle', name: 'deleted', states: [], mark: text, body: () => text };
};

/** Creates the publisher of one clinic. */
export const createPublisher = (parts: Parts): Publisher => {
	const { clinic, profile } = parts;
	const bootedAt = clinic.now();
	const kept = new Map<string, PublishedFile>();
	let last: Publication | null = null;
	const keep = (draft: Draft, at: number): PublishedFile => {
		const mark = hash(`${bootedAt} ${draft.mark}`);
		const path =
			profile.edition === '1.0'
				? `/files/${draft.name}.ndjson`
				: `/files/${draft.name}-${mark}.ndjson`;
		const known = kept.get(path);
		const etag = `"${mark}"`;
		const { type, states, body } = draft;
		const file: PublishedFile =
			known?.etag === etag ? known : { type, states, body, path, etag, modifiedAt: at };
		// Named again is young again: the files of the newest publication are never dropped.
		kept.delete(path);
		kept.set(path, file);
		for (const old of kept.keys()) {
			if (kept.size <= KEPT_FILES) break;
			kept.delete(old);
		}
		return file;
	};
	const directory = directoryDrafts(parts);
	const current = (): Publication => {
		const revision = clinic.slots.revision();
		const at = clinic.now();
		if (last !== null && last.revision === revision) return last;
		const drafts = [...directory, ...slotDrafts(parts, clinic.slots.sorted())];
		last = { revision, at, files: drafts.map((draft) => keep(draft, at)), deleted: [] };
		return last;
	};
	return {
		current,
		since: (from) => {
			const history = clinic.slots.history();
			if (!profile.honoursSince || from < history.since) return null;
			const at = clinic.now();
			const changed = clinic.slots.sorted().filter((slot) => slot.updatedAt >= from);
			const gone = history.changes.filter((each) => each.kind === 'removed' && each.at >= from);
			const drafts = slotDrafts(parts, changed).filter((draft) => draft.mark !== '');
			const named = drafts.map((draft) => ({ ...draft, name: `${draft.name}-since` }));
			const deleted = gone.length === 0 ? [] : [deletedDraft(gone.map(({ slot }) => slot.id))];
			return {
				revision: clinic.slots.revision(),
				at,
				files: named.map((draft) => keep(draft, at)),
				deleted: deleted.map((draft) => keep(draft, at))
			};
		},
		file: (path) => {
			if (profile.edition === '1.0' || !kept.has(path)) current();
			return kept.get(path);
		}
	};
};
