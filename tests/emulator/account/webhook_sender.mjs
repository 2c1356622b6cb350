// Sends the events of one reporting webhook as Customer.io does: signed, one at a time, each until it is taken.
// While one is not, all others wait behind it; after seven days it is given up.
import { createHmac } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Log } from "./log.mjs";

const HOUR_MS = 3_600_000;
const GIVE_UP_MS = 7 * 24 * HOUR_MS;
const HOUR_STATUSES = new Set([400, 401, 402, 403, 404, 405, 410, 429, 500, 502, 521]);
const HOUR_ERRORS = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "EAI_AGAIN",
	"DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "CERT_HAS_EXPIRED",
	"SELF_SIGNED_CERT_IN_CHAIN"]);
const MAX_ATTEMPTS_KEPT = 20_000;

const DEFAULTS = {
	name: "webhook", endpoint: "", events: null, disabled: false, full_resolution: false, with_content: true,
	signing_key: "cio_test_signing_key_0123456789",
	timeout_ms: 4000,
	backoff_s: 10, // the first wait after an ordinary failure; nobody states it
	object_type_key: "object_type", // the vendor's description says object_type_type for changed preferences
};

export class WebhookSender {
	#queue = [];
	#sent = 0; // how many of the queue's start are done
	#state = "idle"; // or "sending", "waiting"
	#failures = 0;
	#firstTry;
	#wait;
	#clock;

	constructor(id, settings, clock) {
		this.id = id;
		this.settings = { ...DEFAULTS, ...settings };
		this.#clock = clock;
		this.attempts = new Log(MAX_ATTEMPTS_KEPT);
		this.delivered = 0;
		this.givenUp = 0;
	}

	configure(changes) {
		this.settings = { ...this.settings, ...changes };
		this.#next();
	}

	stop() {
		this.settings.disabled = true;
		this.#clock.cancel(this.#wait);
		this.#queue = [];
	}

	// The event, if this webhook asks for it.
	offer(event) {
		if (this.settings.disabled || !this.#wants(event))
			return;
		this.#queue.push(JSON.stringify(this.#shaped(event)));
		this.#next();
	}

	#wants({ object_type: type, metric }) {
		const { events } = this.settings;
		const name = metric.replace(/^cio_/, "");
		return !events || events.includes(`${type}_${name}`) || events.includes(`customer_${name}`);
	}

	#shaped(event) {
		const { content, ...data } = event.data ?? {};
		const shaped = { ...event, data: this.settings.with_content ? event.data : data };
		if (event.metric !== "cio_subscription_preferences_changed")
			return shaped;
		const { object_type: type, ...rest } = shaped;
		return { [this.settings.object_type_key]: type, ...rest };
	}

	get pending() {
		return this.#queue.length - this.#sent;
	}

	describe() {
		return {
			id: this.id, ...this.settings, pending: this.pending, delivered: this.delivered,
			given_up: this.givenUp, state: this.#state,
			next_attempt_at: this.#wait ? Math.ceil(this.#wait.time / 1000) : null,
		};
	}

	// What the App API shows.
	publicSettings() {
		const { name, endpoint, events, disabled, full_resolution, with_content } = this.settings;
		return { id: this.id, name, endpoint, events: events ?? [], disabled, full_resolution, with_content };
	}

	#next() {
		if (this.#state !== "idle" || this.settings.disabled || this.pending === 0)
			return;
		this.#state = "sending";
		this.#firstTry ??= this.#clock.now();
		this.#post(this.#queue[this.#sent], (outcome) => this.#settle(outcome));
	}

	#post(body, done) {
		const timestamp = String(this.#clock.seconds());
		const hmac = createHmac("sha256", this.settings.signing_key).update(`v0:${timestamp}:${body}`);
		const options = { method: "POST", headers: {
			"content-type": "application/json", "content-length": Buffer.byteLength(body),
			"user-agent": "Customer.io Web Hooks", "x-cio-timestamp": timestamp,
			"x-cio-signature": hmac.digest("hex"),
		} };
		const send = this.settings.endpoint.startsWith("https:") ? requestHttps : requestHttp;
		const request = send(this.settings.endpoint, options);
		const timer = setTimeout(() => request.destroy(Object.assign(new Error(), { code: "TIMEOUT" })),
			this.settings.timeout_ms);
		const finish = once((outcome) => {
			clearTimeout(timer);
			done({ ...outcome, body });
		});
		request.on("error", (error) => finish({ error: error.code ?? "EOF" }));
		request.on("response", (response) => {
			response.resume();
			response.on("end", () => finish({ status: response.statusCode }));
			response.on("close", () => finish({ error: "EOF" }));
		});
		request.end(body);
	}

	#settle({ status, error, body }) {
		this.attempts.add({ at: this.#clock.seconds(), status: status ?? null, error: error ?? null, body });
		this.#state = "idle";
		if (status >= 200 && status < 300) {
			this.delivered++;
			this.#drop();
		} else if (this.#clock.now() - this.#firstTry >= GIVE_UP_MS) {
			this.givenUp++;
			this.#drop();
		} else {
			this.#waitAndRetry(HOUR_STATUSES.has(status) || HOUR_ERRORS.has(error) || error === "EOF");
			return;
		}
		this.#next();
	}

	#drop() {
		this.#failures = 0;
		this.#firstTry = undefined;
		this.#queue[this.#sent++] = undefined;
		if (this.#sent * 2 > this.#queue.length) {
			this.#queue = this.#queue.slice(this.#sent);
			this.#sent = 0;
		}
	}

	#waitAndRetry(anHour) {
		const first = anHour ? HOUR_MS : this.settings.backoff_s * 1000;
		const pause = Math.min(first * 2 ** this.#failures++, 24 * HOUR_MS);
		this.#state = "waiting";
		this.#wait = this.#clock.at(this.#clock.now() + pause, () => {
			this.#wait = undefined;
			this.#state = "idle";
			this.#next();
		});
	}
}

function once(callback) {
	let isDone = false;
	return (value) => {
		if (!isDone)
			callback(value);
		isDone = true;
	};
}
