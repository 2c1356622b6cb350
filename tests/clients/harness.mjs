// What the scripts of this folder share. A script hands its cases to `main`: started with --list it prints their names;
// started with the emulator's addresses (the JSON line that it prints) it runs them and prints {name, error} for each.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const CASE_LIMIT_MS = 30_000;

// The clients are installed in the build directory, beside nothing of ours.
export const load = createRequire(`${process.env.CIOBRIDGE_TEST_CLIENTS}/package.json`);

// What the emulator is asked and told; `account` is the script's own.
export class Emulator {
	constructor(urls, name) {
		this.urls = urls;
		this.name = name;
	}

	async control(method, path, body) {
		const options = body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
		const answer = await fetch(`${this.urls.control}/_control${path}`, { method, ...options });
		const text = await answer.text();
		assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
		return text ? JSON.parse(text) : undefined;
	}

	of(method, path = "", body) {
		return this.control(method, `/accounts/${this.name}${path}`, body);
	}

	async create(settings = {}) {
		this.account = await this.control("POST", "/accounts", { name: this.name, ...settings });
		return this.account;
	}

	async person(kind, value) {
		return (await this.of("GET", `/people?${kind}=${encodeURIComponent(value)}`)).items[0];
	}

	async events(query = "") {
		return (await this.of("GET", `/events?${query}`)).items;
	}

	fault(rule) {
		return this.control("POST", "/faults", rule);
	}

	// The requests that came to an API, those of which the path begins so.
	async received(api, path = "") {
		const query = new URLSearchParams({ api, path, limit: 1_000_000 });
		return (await this.control("GET", `/received?${query}`)).items;
	}
}

// Every public method of a client has a case of its name.
export function checkComplete(Client, cases, internal = []) {
	const methods = Object.getOwnPropertyNames(Client.prototype).filter((name) => name !== "constructor");
	const missing = methods.filter((name) => !internal.includes(name) && !(name in cases));
	assert.deepEqual(missing, []);
}

// The error that a call ends with.
export async function failure(promise) {
	const value = await promise.then((answer) => ({ answer }), (error) => ({ error }));
	assert.ok(value.error, `succeeded: ${JSON.stringify(value.answer)}`);
	return value.error;
}

export async function main(name, cases, prepare) {
	if (process.argv[2] === "--list") {
		process.stdout.write(JSON.stringify(Object.keys(cases)) + "\n");
		return;
	}
	const emulator = new Emulator(JSON.parse(process.argv[2]), name);
	const prepared = await prepare(emulator);
	for (const [title, act] of Object.entries(cases)) {
		const error = await run(() => act(prepared));
		process.stdout.write(JSON.stringify({ name: title, error }) + "\n");
	}
	process.exit(0);
}

async function run(act) {
	let timer;
	const late = new Promise((resolve, reject) => {
		timer = setTimeout(reject, CASE_LIMIT_MS, new Error("takes too long"));
	});
	try {
		await Promise.race([act(), late]);
		return null;
	} catch (error) {
		return error.stack;
	} finally {
		clearTimeout(timer);
	}
}
