// How much was read, for operators: kilobytes and megabytes of a thousand.
const KB = 1_000;
const MB = 1_000_000;

/** `2 kB`, `1.7 MB`; never less than 1 kB of something. */
export const sizeWords = (bytes: number): string => {
	if (bytes === 0) return '0 kB';
	if (bytes < MB - KB / 2) return `${Math.max(1, Math.round(bytes / KB))} kB`;
	return `${(bytes / MB).toLocaleString('en', { maximumFractionDigits: 1 })} MB`;
};
