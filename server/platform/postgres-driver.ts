// The Postgres client, with a fault of version 3.4.9 mended while it is loaded: a connection cut
// while a small write waits throws outside every promise, which ends the process, and afterwards
// never flushes again (porsager/postgres issues 1066, 1154, 1208). Newer versions load as they are.
import { registerHooks } from 'node:module';

const driverFile = /\/node_modules\/postgres\/src\/connection\.js$/;

/** What the driver says → what it should say. All of them, or the text is not the known one. */
const repairs: readonly (readonly [known: string, mended: string])[] = [
	[
		`    const x = socket.write(chunk, fn)
    nextWriteTimer !== null && clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    return x`,
		`    const waiting = chunk
    nextWriteTimer !== null && clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    if (socket === null) {
      error(Errors.connection('CONNECTION_CLOSED', options, socket))
      return false
    }
    return socket.write(waiting, fn)`
	],
	[
		`    incomings = null
    clearImmediate(nextWriteTimer)
`,
		`    incomings = null
    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
`
	],
	[
		`error(Errors.connection('CONNECTION_DESTROYED', options))

    clearImmediate(nextWriteTimer)
`,
		`error(Errors.connection('CONNECTION_DESTROYED', options))

    clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
`
	]
];

/** The mended text, or null when it is not the text of the version with the fault. */
export const repairDriver = (text: string): string | null => {
	let mended = text;
	for (const [known, better] of repairs) {
		if (!mended.includes(known)) return null;
		mended = mended.replace(known, () => better);
	}
	return mended;
};

registerHooks({
	load: (url, context, nextLoad) => {
		const loaded = nextLoad(url, context);
		if (!driverFile.test(url) || loaded.source === undefined || loaded.source === null) {
			return loaded;
		}
		const text =
			typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
		return { ...loaded, source: repairDriver(text) ?? text };
	}
});

// Loaded after the hook stands; an ordinary import would be loaded before it.
export const { default: postgres } = await import('postgres');
