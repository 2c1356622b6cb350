// Recognises an id that came before, among at least the last half million.

const GENERATION = 500_000;

export class SeenIds {
	#new = new Set();
	#old = new Set();

	// True the first time.
	add(id) {
		if (this.#new.has(id) || this.#old.has(id))
			return false;
		if (this.#new.size >= GENERATION) {
			this.#old = this.#new;
			this.#new = new Set();
		}
		this.#new.add(id);
		return true;
	}
}
