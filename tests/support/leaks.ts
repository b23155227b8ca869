// Notices what a test opened and did not close. Everything the support files open is registered
// here; a test (or a file) that leaves something open fails, and it is closed for the next one.

export type Closable = { close: () => Promise<unknown> };

type Open = { label: string; scope: string; close: () => Promise<unknown> };

const FILE_SCOPE = 'file';
const open = new Set<Open>();
let scope = FILE_SCOPE;

/**
 * Registers something that must be closed before its test ends (or, when it is opened in
 * `beforeAll`, before its file ends). The thing returned has a `close` that ends the watch.
 */
export const mustClose = <T extends Closable>(label: string, thing: T): T & AsyncDisposable => {
	const entry: Open = { label, scope, close: thing.close.bind(thing) };
	open.add(entry);
	const close = async () => {
		open.delete(entry);
		await entry.close();
	};
	// The thing itself is changed, not copied: a browser or a server is an instance of a class.
	return Object.assign(thing, { close, [Symbol.asyncDispose]: close });
};

export const enterTest = (name: string): void => {
	scope = name;
};

/** Closes and names what is still open from `name` (the whole file when it is left out). */
export const leaveScope = async (name = FILE_SCOPE): Promise<string[]> => {
	scope = FILE_SCOPE;
	const left = [...open].filter((entry) => name === FILE_SCOPE || entry.scope === name);
	for (const entry of left) {
		open.delete(entry);
		// It is reported as left open anyway; why it will not close is of no interest then.
		await entry.close().catch(() => {});
	}
	return left.map((entry) => entry.label);
};
