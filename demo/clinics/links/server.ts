// A simulated publisher of SMART Scheduling Links: manifest, NDJSON files, and the portal that the
// deep links lead to.
import type { Clinic } from '../clinic.ts';
import type { Ask, Handler, Reply } from '../exchange.ts';
import { fictionPhone } from '../geography.ts';
import type { Practitioner } from '../practitioner.ts';
import type { LinksProfile } from '../profiles.ts';
import type { Slot } from '../slot-book.ts';
import { createSlotTexts, distortionOf, isDistorted } from '../slot-record.ts';
import type { Extension } from '../wire.ts';
import { VISIT_PATH, visitReply } from '../visit.ts';
import { draftRecords, linksExtension } from './draft-records.ts';
import { firstEditionRecords } from './first-edition.ts';
import { createPortal } from './portal.ts';
import type { Publication, PublishedFile, Publisher } from './publication.ts';
import { createPublisher } from './publication.ts';

export const MANIFEST_PATH = '/links/$bulk-publish';

const slotExtensions =
	(profile: LinksProfile, baseUrl: () => string) =>
	(slot: Slot, person: Practitioner): Extension[] => {
		const isOpen = slot.status === 'free';
		const link = {
			url: `${linksExtension}/booking-deep-link`,
			valueUrl: `${baseUrl()}/book/${slot.id}`
		};
		const phone = {
			url: `${linksExtension}/booking-phone`,
			valueString: fictionPhone(person.home, 12)
		};
		const capacity = { url: `${linksExtension}/slot-capacity`, valueInteger: slot.left };
		return [
			...(isOpen ? [link] : []),
			...(isOpen && profile.phones ? [phone] : []),
			...(isOpen && slot.capacity > 1 ? [capacity] : [])
		];
	};

const outputOf = (base: string, file: PublishedFile): object => ({
	type: file.type,
	url: base + file.path,
	...(file.states.length > 0 && { extension: { state: file.states } })
});

/** SSL 1.0 fields for everybody; the draft adds those of Bulk Publish. */
const manifestOf = (
	profile: LinksProfile,
	base: string,
	request: string,
	publication: Publication
): object => ({
	...(profile.edition === '2-draft' && {
		manifestType: 'http://hl7.org/fhir/uv/bulkdata/StructureDefinition/BulkPublishManifest',
		requiresAccessToken: false,
		updateCadence: `PT${profile.maxAgeS}S`
	}),
	transactionTime: new Date(publication.at).toISOString(),
	request,
	output: publication.files.map((file) => outputOf(base, file)),
	...(publication.deleted.length > 0 && {
		deleted: publication.deleted.map((file) => ({ url: base + file.path }))
	}),
	error: []
});

type Manifest = { profile: LinksProfile; clinic: Clinic; publisher: Publisher; base: string };

const manifestReply = ({ profile, clinic, publisher, base }: Manifest, ask: Ask): Reply => {
	const since = Date.parse(ask.url.searchParams.get('_since') ?? '');
	const delta = Number.isNaN(since) ? null : publisher.since(since);
	const publication = delta ?? publisher.current();
	const names = publication.files.map((file) => file.etag.slice(1, 9)).join('');
	// Only an answer of changes repeats what was asked for; everything is everything.
	const request = base + ask.url.pathname + (delta === null ? '' : ask.url.search);
	return {
		status: 200,
		headers: {
			'content-type': 'application/json',
			'cache-control': `public, max-age=${profile.maxAgeS}`,
			etag: `W/"${names}"`
		},
		body: () =>
			JSON.stringify(manifestOf(profile, base, request, { ...publication, at: clinic.now() }))
	};
};

const fileReply = (profile: LinksProfile, ask: Ask, file: PublishedFile): Reply => {
	const isSlots = file.type === 'Slot';
	const empty = isSlots && ask.fault('empty_answer') !== undefined;
	const wrong = isSlots ? distortionOf(ask) : { wrongOffset: false, repeatedIds: false };
	const healthy = !empty && !isDistorted(wrong);
	const inPlace = `public, max-age=${profile.maxAgeS}`;
	return {
		status: 200,
		headers: {
			'content-type': 'application/fhir+ndjson',
			'cache-control': profile.edition === '1.0' ? inPlace : 'public, max-age=31536000, immutable',
			etag: healthy ? file.etag : file.etag.replace(/"$/, '-x"'),
			...(healthy && { 'last-modified': new Date(file.modifiedAt).toUTCString() })
		},
		body: () => (empty ? '' : file.body(wrong))
	};
};

const notFound: Reply = {
	status: 404,
	headers: { 'content-type': 'text/plain; charset=utf-8' },
	body: 'Not found'
};

/** The handler of one publisher; `baseUrl` is its own address, known once it listens. */
export const createLinksHandler = (
	clinic: Clinic,
	profile: LinksProfile,
	baseUrl: () => string
): Handler => {
	const { organisation } = clinic;
	const isFirst = profile.edition === '1.0';
	const publisher = createPublisher({
		clinic,
		profile,
		records: isFirst ? firstEditionRecords(organisation) : draftRecords(organisation, clinic.now()),
		texts: createSlotTexts(organisation, {
			withMeta: false,
			allStatuses: !isFirst,
			extensions: slotExtensions(profile, baseUrl)
		})
	});
	const portal = createPortal(clinic, profile);
	return (ask) => {
		const { pathname } = ask.url;
		if (pathname.startsWith('/book/')) return portal(ask);
		if (pathname.startsWith(VISIT_PATH)) {
			return visitReply(clinic, pathname.slice(VISIT_PATH.length));
		}
		if (ask.method !== 'GET' && ask.method !== 'HEAD') {
			return { ...notFound, status: 405, headers: { ...notFound.headers, allow: 'GET, HEAD' } };
		}
		if (pathname === MANIFEST_PATH)
			return manifestReply({ profile, clinic, publisher, base: baseUrl() }, ask);
		const file = publisher.file(pathname);
		return file === undefined ? notFound : fileReply(profile, ask, file);
	};
};
