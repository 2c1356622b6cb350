// At most `limit` in any `windowMs` milliseconds.

export class Limiter {
	#times = [];
	#next = 0;

	constructor(limit, windowMs) {
		this.limit = limit;
		this.windowMs = windowMs;
	}

	// Takes one, if there is one to take.
	take() {
		const now = performance.now();
		const oldest = this.#times[this.#next];
		if (oldest !== undefined && now - oldest < this.windowMs)
			return false;
		this.#times[this.#next] = now;
		this.#next = (this.#next + 1) % this.limit;
		return true;
	}
}
