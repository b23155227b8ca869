// Something the person at the keyboard can put right: its message is shown without a stack.

export class DemoError extends Error {
	override readonly name = 'DemoError';
}
