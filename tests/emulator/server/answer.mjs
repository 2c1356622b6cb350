// What a route answers: {status, headers, body}, or an error thrown as a Refusal that carries such an answer.

export const JSON_TYPE = "application/json; charset=utf-8";

const TRACK_HEADERS = {
	"content-type": JSON_TYPE,
	"cache-control": "no-cache, no-store, must-revalidate, max-age=0",
	"access-control-allow-origin": "*",
};
const APP_HEADERS = {
	"content-type": JSON_TYPE,
	"cache-control": "must-revalidate,no-cache,no-store",
	"x-frame-options": "SAMEORIGIN",
	"x-content-type-options": "nosniff",
};
const STATUS_LINES = { 200: "200 OK", 207: "207 Multi-Status", 400: "400 Bad Request", 401: "401 Unauthorized" };

export class Refusal extends Error {
	constructor(answer) {
		super(`${answer.status}`);
		this.answer = answer;
	}
}

export function jsonAnswer(status, value, headers = {}) {
	return { status, headers: { "content-type": JSON_TYPE, ...headers }, body: JSON.stringify(value) };
}

// The real service ends its JSON with a line end, and repeats the status in a header.
export function trackAnswer(status = 200, value = {}) {
	const line = STATUS_LINES[status];
	const headers = line ? { ...TRACK_HEADERS, status: line } : TRACK_HEADERS;
	return { status, headers, body: JSON.stringify(value) + "\n" };
}

export function appAnswer(value, status = 200, headers = {}) {
	return { status, headers: { ...APP_HEADERS, ...headers }, body: JSON.stringify(value) };
}

// Track v1 and the sending endpoints of the App API speak of one error ...
export const metaError = (status, text) => new Refusal(trackAnswer(status, { meta: { error: text } }));
// ... some endpoints of Track v1 of several ...
export const metaErrors = (status, texts) => new Refusal(trackAnswer(status, { meta: { errors: texts } }));
// ... Track v2 of reasons and fields ...
export const trackErrors = (status, errors) => new Refusal(trackAnswer(status, { errors }));

// ... and the App API of details with a reference.
export function appError(status, detail, { code, pointer, headers } = {}) {
	const error = { detail: `${detail} (reference ${reference()})`, status: String(status) };
	if (code)
		error.code = code;
	if (pointer)
		error.source = { pointer };
	return new Refusal(appAnswer({ errors: [error] }, status, headers));
}

function reference() {
	return Math.floor(Math.random() * 0xffffffff).toString(16).padStart(8, "0");
}
