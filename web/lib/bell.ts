// A short sound and vibration for a new booking; only after the switch was turned on by hand.

const NOTE_S = 0.18;
const VOLUME = 0.15;
const PATTERN_MS = [80, 60, 80];

const ring = (audio: AudioContext, hertz: number, at: number): void => {
	const tone = audio.createOscillator();
	const volume = audio.createGain();
	tone.frequency.value = hertz;
	volume.gain.setValueAtTime(VOLUME, at);
	volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
	tone.connect(volume).connect(audio.destination);
	tone.start(at);
	tone.stop(at + NOTE_S);
};

export class Bell {
	#audio: AudioContext | null = null;

	/** Browsers let a page make sounds only after a tap: call it from one. */
	turn(isOn: boolean): void {
		if (!isOn) {
			void this.#audio?.close();
			this.#audio = null;
		} else if (typeof AudioContext !== 'undefined') {
			this.#audio = new AudioContext();
			this.ring();
		}
	}

	ring(): void {
		if (this.#audio === null) return;
		ring(this.#audio, 660, this.#audio.currentTime);
		ring(this.#audio, 880, this.#audio.currentTime + NOTE_S);
		if ('vibrate' in navigator) navigator.vibrate(PATTERN_MS);
	}
}
