// The build of the pages: SvelteKit on the Node adapter, words compiled from the message catalogue.
// The hub imports the result (`build/handler.js`) and puts its own parts on each request.
import { paraglideVitePlugin } from '@inlang/paraglide-js';
import adapter from '@sveltejs/adapter-node';
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vite';

/** Inline style sheets below this many characters: one round trip less on a slow line. */
const INLINE_STYLE_CHARACTERS = 65_536;

export default defineConfig({
	plugins: [
		paraglideVitePlugin({
			project: './web/project.inlang',
			outdir: './web/paraglide',
			strategy: ['baseLocale']
		}),
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
	build: { target: ['chrome111', 'edge111', 'firefox114', 'safari16.4'] }
});
