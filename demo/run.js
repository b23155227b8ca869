// Entry of `npm run demo`: plain JavaScript, so that a Node too old for the rest can still say so.
const major = Number(process.versions.node.split('.')[0]);
if (major >= 24) {
	await import('./start.ts');
} else {
	process.stderr.write(
		`Slotcast needs Node 24 or newer and this is Node ${process.versions.node}: run \`npm ci\` (without --omit=optional), which brings one along, then \`npm run demo\`.\n`
	);
	process.exitCode = 1;
}
