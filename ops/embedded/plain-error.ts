// Something the person at the keyboard can put right: the message is a plain sentence that says
// how, and is shown without a stack.

export class PlainError extends Error {
	override readonly name = 'PlainError';
}
