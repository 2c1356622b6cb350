// What goes wrong on purpose. A rule names the requests that it meets, which of them, and what happens to them:
//
// {api, region, method, path: "/v1/customers*", body: "text in it",  any that is left out matches everything
//  skip: 2, count: 3, every: 5,      after the first two, three times, every fifth; without them always
//  do: {latency_ms, status, headers, body, accepted, hang, reset, lost, rate_limit: {limit, window_ms, retry_after},
//       set: {member: value}, remove: [member], repeat, loop, malformed, truncate, cut_after}}
import { Limiter } from "../account/limiter.mjs";

const EFFECTS = new Set(["latency_ms", "status", "headers", "body", "accepted", "hang", "reset", "lost", "rate_limit",
	"set", "remove", "repeat", "loop", "malformed", "truncate", "cut_after"]);

export class Faults {
	#rules = [];
	#lastId = 0;

	// Throws a TypeError for a rule that could not work.
	add(description) {
		const unknown = Object.keys(description.do ?? {}).find((name) => !EFFECTS.has(name));
		if (!description.do || unknown)
			throw new TypeError(unknown ? `unknown effect ${unknown}` : "do is missing");
		const rule = new Rule(++this.#lastId, description);
		this.#rules.push(rule);
		return rule;
	}

	list() {
		return this.#rules.map((rule) => rule.describe());
	}

	remove(id) {
		this.#rules = this.#rules.filter((rule) => rule.id !== Number(id));
	}

	clear() {
		this.#rules = [];
	}

	// {rule: the first that happens, watchers: those that only want to see the answer}, or undefined for no fault.
	meet(exchange) {
		if (this.#rules.length === 0)
			return undefined;
		const watchers = [];
		for (const rule of this.#rules) {
			if (!rule.matches(exchange))
				continue;
			if (rule.happens())
				return { rule, watchers };
			if (rule.effects.repeat)
				watchers.push(rule);
		}
		return watchers.length > 0 ? { rule: undefined, watchers } : undefined;
	}
}

class Rule {
	#path;
	#seen = 0;
	#happened = 0;

	constructor(id, description) {
		this.id = id;
		this.description = description;
		this.effects = description.do;
		this.#path = globExpression(description.path ?? "*");
		const { rate_limit: rate } = this.effects;
		this.limiter = rate && new Limiter(rate.limit, rate.window_ms ?? 1000);
		this.lastAnswer = undefined;
	}

	matches({ api, region, method, path, text }) {
		const { api: wantedApi, region: wantedRegion, method: wantedMethod, body } = this.description;
		return (!wantedApi || wantedApi === api) && (!wantedRegion || wantedRegion === region) &&
			(!wantedMethod || wantedMethod === method) && this.#path.test(path) &&
			(!body || text.includes(body));
	}

	happens() {
		const { skip = 0, count = Infinity, every = 1 } = this.description;
		const number = ++this.#seen - skip;
		if (number <= 0 || number % every !== 0 || this.#happened >= count)
			return false;
		this.#happened++;
		return true;
	}

	describe() {
		return { id: this.id, ...this.description, seen: this.#seen, happened: this.#happened };
	}
}

function globExpression(glob) {
	const parts = glob.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
	return new RegExp(`^${parts.join(".*")}$`);
}
