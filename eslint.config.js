// Lint of the Svelte files only; TypeScript files are oxlint's. Types are checked by svelte-check,
// so here they are blanked out (every position stays where it was) and plain JavaScript is read.
import { stripTypeScriptTypes } from 'node:module';
import * as espree from 'espree';
import svelte from 'eslint-plugin-svelte';

const withoutTypes = {
	meta: { name: 'espree-without-types' },
	parse: (code, options) => espree.parse(stripTypeScriptTypes(code), options)
};

export default [
	{ ignores: ['**/paraglide/**', '**/.svelte-kit/**', '**/*.{js,ts}'] },
	...svelte.configs['flat/recommended'],
	{
		files: ['**/*.svelte'],
		languageOptions: { parserOptions: { parser: withoutTypes } },
		rules: {
			'no-unused-vars': 'error',
			'prefer-const': 'off',
			'svelte/prefer-const': 'error',
			'svelte/no-at-html-tags': 'error',
			'svelte/require-each-key': 'error',
			'svelte/button-has-type': 'off',
			// It cannot see the warnings of svelte-check, which the comments are for.
			'svelte/no-unused-svelte-ignore': 'off',
			'svelte/no-target-blank': 'error',
			'svelte/no-inline-styles': 'error',
			'svelte/no-reactive-functions': 'error',
			// Plain paths: the hub is served at the root, and half of the links go to its API.
			'svelte/no-navigation-without-resolve': 'off'
		}
	}
];
