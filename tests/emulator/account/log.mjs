// A list that forgets its oldest entries: at most so many, and at most so many bytes.

export class Log {
	#entries = [];
	#sizes = [];
	#start = 0; // where the oldest is
	#bytes = 0;
	#maxEntries;
	#maxBytes;

	constructor(maxEntries, maxBytes = Infinity) {
		this.#maxEntries = maxEntries;
		this.#maxBytes = maxBytes;
		this.dropped = 0;
	}

	get length() {
		return this.#entries.length - this.#start;
	}

	// How many there ever were.
	get total() {
		return this.dropped + this.length;
	}

	add(entry, size = 0) {
		this.#entries.push(entry);
		this.#sizes.push(size);
		this.#bytes += size;
		while (this.length > this.#maxEntries || (this.#bytes > this.#maxBytes && this.length > 1))
			this.#forget();
		return entry;
	}

	#forget() {
		this.#bytes -= this.#sizes[this.#start];
		this.#entries[this.#start++] = undefined;
		this.dropped++;
		if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
			this.#entries = this.#entries.slice(this.#start);
			this.#sizes = this.#sizes.slice(this.#start);
			this.#start = 0;
		}
	}

	// Those from number `from` on (the first ever has number 0), at most `limit`.
	items(from = 0, limit = Infinity) {
		const first = this.#start + Math.max(0, from - this.dropped);
		return this.#entries.slice(first, first + limit);
	}
}
