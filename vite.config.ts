// The build of the pages: SvelteKit on the Node adapter, words compiled from the message catalogue.
// The hub imports the result (`build/handler.js`) and puts its own parts on each request.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import adapter from '@sveltejs/adapter-node';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig, type Plugin } from 'vite';

/** Inline style sheets below this many characters: one round trip less on a slow line. */
const INLINE_STYLE_CHARACTERS = 65_536;

/** The client's own bundle is a sixth smaller than its sources bundled by us. */
const SOCKET_CLIENT = join(
	import.meta.dirname,
	'node_modules/socket.io-client/dist/socket.io.esm.min.js'
);
const ANNOUNCER_STYLE = 'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo=';
/**
 * What pages share with each other, all but the patient's form: a held time shares that only with
 * its own error page, and it is no part of the board's load.
 */
const PARTS =
	/\/(?:web|domain)\/(?!lib\/(?:parts\/(?:PatientForm|TapTrouble)|tap-trouble|patient-fields)|paraglide\/messages\/(?:form|error|tap)_)/;

/**
 * Compiles the message catalogue by Paraglide's own command. Its Vite plugin does the same, but on a
 * fresh checkout leaves timers behind that hold up the end of the build for 30 s.
 */
const compileWords = (): Plugin => {
	let isDone = false;
	return {
		name: 'compile-words',
		buildStart: () => {
			if (isDone) return;
			isDone = true;
			const program = join(import.meta.dirname, 'node_modules/@inlang/paraglide-js/bin/run.js');
			const folders = ['--project', './web/project.inlang', '--outdir', './web/paraglide'];
			const options = ['--strategy', 'baseLocale', '--silent'];
			execFileSync(process.execPath, [program, 'compile', ...folders, ...options], {
				cwd: import.meta.dirname,
				stdio: 'inherit'
			});
		}
	};
};

export default defineConfig({
	plugins: [
		compileWords(),
		sveltekit({
			adapter: adapter({ out: 'build' }),
			files: { src: 'web', assets: 'web/static' },
			inlineStyleThreshold: INLINE_STYLE_CHARACTERS,
			csp: {
				mode: 'nonce',
				directives: {
					'default-src': ['self'],
					'script-src': ['self'],
					'style-src': ['self'],
					// The hash is of SvelteKit's own hidden announcer of page changes.
					'style-src-attr': ['unsafe-hashes', ANNOUNCER_STYLE],
					'img-src': ['self', 'data:'],
					'connect-src': ['self'],
					'object-src': ['none'],
					'base-uri': ['none'],
					'form-action': ['self'],
					'frame-ancestors': ['none']
				}
			}
		})
	],
	resolve: { alias: [{ find: /^socket\.io-client$/, replacement: SOCKET_CLIENT }] },
	build: {
		target: ['chrome111', 'edge111', 'firefox114', 'safari16.4'],
		rolldownOptions: {
			// Our modules only define things. Known to be so, each page gets the messages and parts that
			// it uses instead of those of all pages (a third of the scripts of the board).
			treeshake: {
				moduleSideEffects: [{ test: /\/(?:web\/(?:lib|paraglide)|domain)\//, sideEffects: false }]
			}
		}
	},
	environments: {
		client: {
			build: {
				rolldownOptions: {
					// Few requests: what several pages share comes in two files, not in twenty.
					output: {
						codeSplitting: {
							groups: [
								{ name: 'base', test: /node_modules\/(?!socket\.io)/, minShareCount: 2 },
								{ name: 'parts', test: PARTS, minShareCount: 2 }
							]
						}
					}
				}
			}
		}
	}
});
