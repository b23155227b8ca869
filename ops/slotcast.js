#!/usr/bin/env node
// Entry of `slotcast` and `npm run source`: plain JavaScript, so that a Node too old for the rest
// can still say so.
const major = Number(process.versions.node.split('.')[0]);
if (major >= 24) {
	const { main } = await import('./source/main.ts');
	process.exitCode = await main(process.argv.slice(2));
} else {
	process.stderr.write(
		`Slotcast needs Node 24 or newer and this is Node ${process.versions.node}: run \`npm ci\` (without --omit=optional), which brings one along, then \`npm run source -- --help\`.\n`
	);
	process.exitCode = 1;
}
