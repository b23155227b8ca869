// Wall time of IANA zones to instants and back, through Intl alone. All zones of the 56 regions
// change their offset on a whole UTC hour, so one answer per zone and hour is kept.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_KEPT = 20_000;

const formats = new Map<string, Intl.DateTimeFormat>();
const kept = new Map<string, number>();

const formatOf = (timeZone: string): Intl.DateTimeFormat => {
	const known = formats.get(timeZone);
	if (known !== undefined) return known;
	const made = new Intl.DateTimeFormat('en-US', {
		timeZone,
		hourCycle: 'h23',
		year: 'numeric',
		month: 'numeric',
		day: 'numeric',
		hour: 'numeric',
		minute: 'numeric'
	});
	formats.set(timeZone, made);
	return made;
};

const measureOffset = (timeZone: string, hourAt: number): number => {
	const part: Record<string, number> = {};
	for (const { type, value } of formatOf(timeZone).formatToParts(hourAt))
		part[type] = Number(value);
	const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
	return (Date.UTC(year, month - 1, day, hour, minute) - hourAt) / 60_000;
};

/** Minutes that `timeZone` is ahead of UTC at the instant `at` (UTC ms). */
export const offsetMinutes = (timeZone: string, at: number): number => {
	const hourAt = Math.floor(at / HOUR_MS) * HOUR_MS;
	const key = `${timeZone} ${hourAt}`;
	const known = kept.get(key);
	if (known !== undefined) return known;
	if (kept.size > MAX_KEPT) kept.clear();
	const measured = measureOffset(timeZone, hourAt);
	kept.set(key, measured);
	return measured;
};

/** The instant of `minute` of the local day `day` (days since 1970-01-01 on the wall calendar). */
export const wallToInstant = (timeZone: string, day: number, minute: number): number => {
	const wall = day * DAY_MS + minute * 60_000;
	const guess = wall - offsetMinutes(timeZone, wall) * 60_000;
	return wall - offsetMinutes(timeZone, guess) * 60_000;
};

export type Wall = { day: number; minute: number; weekday: number };

/** Local day, minute of the day, and weekday (0 = Sunday) of the instant `at`. */
export const instantToWall = (timeZone: string, at: number): Wall => {
	const wall = at + offsetMinutes(timeZone, at) * 60_000;
	const day = Math.floor(wall / DAY_MS);
	return { day, minute: Math.floor((wall - day * DAY_MS) / 60_000), weekday: (day + 4) % 7 };
};

/** The zone's other offset of the year (summer for winter and the reverse), or the same one. */
const otherOffset = (timeZone: string, at: number): number => {
	const year = new Date(at).getUTCFullYear();
	const winter = offsetMinutes(timeZone, Date.UTC(year, 0, 15));
	const summer = offsetMinutes(timeZone, Date.UTC(year, 6, 15));
	return offsetMinutes(timeZone, at) === winter ? summer : winter;
};

const offsetText = (minutes: number): string => {
	const size = Math.abs(minutes);
	const two = (value: number): string => String(value).padStart(2, '0');
	return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
};

/**
 * A FHIR instant in local time with offset. With `wrong` the wall time stays and the offset is
 * that of the other half of the year, as real publishers have been seen to do.
 */
export const instantText = (timeZone: string, at: number, wrong = false): string => {
	const right = offsetMinutes(timeZone, at);
	const wall = new Date(at + right * 60_000).toISOString().slice(0, 19);
	return wall + offsetText(wrong ? otherOffset(timeZone, at) : right);
};
