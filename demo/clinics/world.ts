// The simulated world: organisations, their practitioners, and the slots of a 14-day window, all
// from a seed and a start time. Pure: no clock, no I/O; the same arguments give the same world.
import { allUsps, commonSpecialtyIds, specialtyIds } from './codes.ts';
import { must } from '#domain/result.ts';
import { uniformFacts, inventPractitioner } from './practitioner.ts';
import type { Practitioner, UniformFacts } from './practitioner.ts';
import type { Profile } from './profiles.ts';
import { practices, profiles } from './profiles.ts';
import type { Random } from './random.ts';
import { createRandom } from './random.ts';
import type { WorldSlot } from './sessions.ts';
import { planSlots } from './sessions.ts';

export const WINDOW_MS = 14 * 86_400_000;

const FULL_STAFF = 28;
const SLOTS_PER_PRACTITIONER = 25;

export type Organisation = {
	/** `c01`, `c13`: opens every id of the clinic, so that ids are unique in the world. */
	code: string;
	profile: Profile;
	/** What holds for everyone there; only publishers of the 1.0 edition need to be so plain. */
	uniform: UniformFacts | null;
	practitioners: readonly Practitioner[];
	slots: readonly WorldSlot[];
};

export type World = {
	seed: number;
	/** UTC ms; slots begin in [startAt, startAt + WINDOW_MS). */
	startAt: number;
	organisations: readonly Organisation[];
};

export type WorldOptions = {
	seed: number;
	startAt: number;
	/** How many organisations, 1 to 12. */
	organisations?: number;
	/** Slots of all organisations together, met exactly when the working hours allow. */
	slotCount?: number;
	/** Only these organisations (keys of `profiles` and `practices`), instead of the first ones. */
	keys?: readonly string[];
	/** Also the small practices, beside the slots above; those named by `keys` are there anyway. */
	practices?: boolean;
};

/** The organisation's focus first, then the rest of the 25 in an order of its own. */
const specialtiesOf = (profile: Profile, turn: number): string[] => {
	const rest = specialtyIds.filter((id) => !profile.focus.includes(id));
	const from = (turn * 2) % rest.length;
	return [...profile.focus, ...rest.slice(from), ...rest.slice(0, from)].slice(0, 14);
};

const codeOf = (turn: number): string => `c${String(turn + 1).padStart(2, '0')}`;

const staffOf = (profile: Profile, turn: number, size: number, random: Random): Practitioner[] => {
	const code = codeOf(turn);
	const uniform = isPlain(profile) ? uniformFacts(profile.homes) : null;
	const specialties = specialtiesOf(profile, turn);
	return Array.from({ length: size }, (_, index) =>
		inventPractitioner({
			clinicCode: code,
			profile,
			number: turn * 100 + index,
			index,
			specialtyId: must(specialties[index % specialties.length], 'specialty'),
			uniform,
			random: random.fork(`${profile.key}/${index}`)
		})
	);
};

const isPlain = ({ speaks }: Profile): boolean =>
	speaks.kind === 'smart-scheduling-links' && speaks.edition === '1.0';

/** Every region finds every common specialty: one clinician of each is licensed everywhere. */
const spreadCommon = (staffs: Practitioner[][], chosen: readonly Profile[]): void => {
	for (const [offset, specialtyId] of commonSpecialtyIds.entries()) {
		for (let step = 0; step < staffs.length; step += 1) {
			const turn = (offset + step) % staffs.length;
			const staff = must(staffs[turn], 'staff');
			const at = staff.findIndex((each) => each.specialtyId === specialtyId);
			const profile = must(chosen[turn], 'profile');
			if (at < 0 || isPlain(profile)) continue;
			staff[at] = { ...must(staff[at], 'practitioner'), regions: allUsps };
			break;
		}
	}
};

const chooseProfiles = ({ keys, organisations = profiles.length }: WorldOptions): Profile[] =>
	keys === undefined
		? profiles.slice(0, organisations)
		: profiles.filter((profile) => keys.includes(profile.key));

const choosePractices = ({ keys, practices: isAll = false }: WorldOptions): readonly Profile[] =>
	isAll && keys === undefined
		? practices
		: practices.filter((profile) => keys?.includes(profile.key) === true);

/** Each is one clinician who works all hours; the others' world is the same with and without them. */
const openPractices = (options: WorldOptions): Organisation[] => {
	const { seed, startAt } = options;
	const random = createRandom(seed);
	const span = { fromAt: startAt, toAt: startAt + WINDOW_MS };
	return choosePractices(options).map((profile) => {
		const turn = profiles.length + practices.indexOf(profile);
		const staffs = [staffOf(profile, turn, 1, random)];
		const [plan] = planSlots({ staffs, ...span, slotCount: Number.MAX_SAFE_INTEGER, seed });
		return { code: codeOf(turn), profile, uniform: null, ...must(plan, 'plan') };
	});
};

/** Builds the world of a seed. A full world has 12 organisations, 336 practitioners, 40,000 slots. */
export const createWorld = (options: WorldOptions): World => {
	const { seed, startAt, slotCount = 40_000 } = options;
	const random = createRandom(seed);
	const chosen = chooseProfiles(options);
	const share = slotCount / Math.max(1, chosen.length);
	const size = Math.min(FULL_STAFF, Math.max(1, Math.ceil(share / SLOTS_PER_PRACTITIONER)));
	const turnOf = (profile: Profile): number => profiles.indexOf(profile);
	const staffs = chosen.map((profile) => staffOf(profile, turnOf(profile), size, random));
	if (size * chosen.length >= 100) spreadCommon(staffs, chosen);
	const planned = planSlots({
		staffs,
		fromAt: startAt,
		toAt: startAt + WINDOW_MS,
		slotCount,
		seed
	});
	return {
		seed,
		startAt,
		organisations: [
			...chosen.map((profile, at) => ({
				code: codeOf(turnOf(profile)),
				profile,
				uniform: isPlain(profile) ? uniformFacts(profile.homes) : null,
				practitioners: must(planned[at], 'plan').practitioners,
				slots: must(planned[at], 'plan').slots
			})),
			...openPractices(options)
		]
	};
};
