// The one door to the message catalogue (web/messages): components hold no words of their own.
export { m } from '../paraglide/messages.js';
