// The time that the emulator lives by. A test can turn it forward; what waits for a time then comes at once.

const MAX_TIMER_MS = 2 ** 31 - 1;

export class Clock {
	#offset = 0;
	#waiting = new Set();

	now() {
		return Date.now() + this.#offset;
	}

	seconds() {
		return Math.floor(this.now() / 1000);
	}

	advance(milliseconds) {
		this.#offset += milliseconds;
		for (const wait of [...this.#waiting])
			this.#arm(wait);
	}

	reset() {
		this.#offset = 0;
		for (const wait of [...this.#waiting])
			this.cancel(wait);
	}

	// Calls `callback` once it is `time`; the result is for cancel.
	at(time, callback) {
		const wait = { time, callback, timer: undefined };
		this.#waiting.add(wait);
		this.#arm(wait);
		return wait;
	}

	cancel(wait) {
		if (!wait)
			return;
		clearTimeout(wait.timer);
		this.#waiting.delete(wait);
	}

	#arm(wait) {
		clearTimeout(wait.timer);
		const left = Math.min(Math.max(0, wait.time - this.now()), MAX_TIMER_MS);
		wait.timer = setTimeout(() => this.#ring(wait), left);
		wait.timer.unref();
	}

	#ring(wait) {
		if (this.now() < wait.time) {
			this.#arm(wait);
			return;
		}
		this.#waiting.delete(wait);
		wait.callback();
	}
}
