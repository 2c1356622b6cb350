// One request as the routes see it.
import { gunzipSync } from "node:zlib";

const MAX_UNPACKED = 8 * 1024 * 1024;

export class Exchange {
	#query;
	#text;

	constructor(api, region, request, body) {
		this.api = api;
		this.region = region;
		this.method = request.method;
		this.headers = request.headers;
		this.body = body;
		this.target = request.url;
		const mark = request.url.indexOf("?");
		this.path = mark < 0 ? request.url : request.url.slice(0, mark);
		this.account = undefined;
	}

	get query() {
		this.#query ??= new URLSearchParams(this.target.slice(this.path.length + 1));
		return this.#query;
	}

	// The body as text, unpacked where it says so.
	get text() {
		this.#text ??= this.#unpack().toString("utf8");
		return this.#text;
	}

	// The text is made again should somebody ask for it; kept requests would take twice the memory with it.
	release() {
		this.#text = undefined;
		this.#query = undefined;
	}

	get size() {
		return this.headers["content-encoding"] === "gzip" ? Buffer.byteLength(this.text) : this.body.length;
	}

	#unpack() {
		if (this.headers["content-encoding"] !== "gzip")
			return this.body;
		try {
			return gunzipSync(this.body, { maxOutputLength: MAX_UNPACKED });
		} catch {
			return Buffer.from("");
		}
	}

	// The body as an object; undefined when it is anything else. No body counts as an empty object.
	json() {
		if (this.body.length === 0)
			return {};
		try {
			const value = JSON.parse(this.text);
			return isObject(value) ? value : undefined;
		} catch {
			return undefined;
		}
	}
}

export function isObject(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
