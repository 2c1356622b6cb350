// How customerio-node takes failures: what it sends again, how often, and when.
import assert from "node:assert/strict";
import { failure, load, main } from "./harness.mjs";

const { TrackClient, APIClient, RegionEU } = load("customerio-node");
const RETRIED = [408, 429, 500, 502, 503, 504, 522, 524];
const QUICK = { minTimeoutMs: 5 };

async function prepare(cio) {
	const account = await cio.create({ app_rate: { limit: 10 }, people: [{ email: "a@example.com" }] });
	const url = `${cio.urls.us.track}/api/v1`;
	const make = (settings) => new TrackClient(account.site_id, account.track_key, { url, ...settings });
	const app = new APIClient(account.app_key, { url: `${cio.urls.us.app}/v1` });
	return { cio, account, make, app, client: make({ retry: QUICK }) };
}

// The requests that were made to identify this person.
async function tries(cio, id) {
	return cio.received("track", `/api/v1/customers/${id}`);
}

function again(status) {
	return async ({ cio, client }) => {
		await cio.fault({ path: `*/again-${status}`, count: 2, do: { status } });
		await client.identify(`again-${status}`, { n: 1 });
		const requests = await tries(cio, `again-${status}`);
		assert.deepEqual(requests.map((one) => [one.status, one.headers["x-retry-count"]]),
			[[status, undefined], [status, "1"], [200, "2"]]);
	};
}

const cases = {
	...Object.fromEntries(RETRIED.map((status) => [`again after ${status}`, again(status)])),

	async "not again after 400"({ cio, client }) {
		await cio.fault({ path: "*/bad", do: { status: 400, body: { meta: { error: "no" } } } });
		assert.equal((await failure(client.identify("bad", {}))).message, "no");
		assert.equal((await tries(cio, "bad")).length, 1);
	},

	async "given up after three more"({ cio, client }) {
		await cio.fault({ path: "*/never", do: { status: 500 } });
		assert.equal((await failure(client.identify("never", {}))).statusCode, 500);
		assert.equal((await tries(cio, "never")).length, 4);
	},

	async "again after a reset"({ cio, client }) {
		await cio.fault({ path: "*/reset", count: 1, do: { reset: true } });
		await client.identify("reset", { n: 1 });
		assert.equal((await tries(cio, "reset")).length, 2);
	},

	async "again after a lost answer"({ cio, client }) {
		await cio.fault({ path: "*/lost/events", count: 1, do: { lost: true } });
		await client.track("lost", { name: "e", id: "01E4C4CT6YDC7Y5M7FE1GWWPQK" });
		assert.equal((await tries(cio, "lost")).length, 2);
		assert.equal((await cio.events("id=lost")).length, 1, "the id of the event makes it one");
	},

	async "again after a cut answer"({ cio, client }) {
		await cio.fault({ path: "*/cut", count: 1, do: { cut_after: 1 } });
		await client.identify("cut", { n: 1 });
		assert.equal((await tries(cio, "cut")).length, 2);
	},

	async "again after a timeout"({ cio, make }) {
		await cio.fault({ path: "*/slow", count: 1, do: { hang: true } });
		await make({ timeout: 300, retry: QUICK }).identify("slow", { n: 1 });
		assert.equal((await tries(cio, "slow")).length, 2);
	},

	async "a latency is waited for"({ cio, client }) {
		await cio.fault({ path: "*/late", count: 1, do: { latency_ms: 200 } });
		const begin = performance.now();
		await client.identify("late", { n: 1 });
		assert.ok(performance.now() - begin >= 195);
	},

	async "malformed JSON is an error"({ cio, client }) {
		await cio.fault({ path: "*/malformed", do: { malformed: true } });
		assert.match((await failure(client.identify("malformed", {}))).message, /Unable to parse JSON/);
	},

	async "Retry-After in seconds"({ cio, client }) {
		await cio.fault({ path: "*/after", count: 1, do: { status: 429, headers: { "retry-after": "1" } } });
		await client.identify("after", { n: 1 });
		const [first, second] = await tries(cio, "after");
		assert.ok(second.at - first.at >= 990, `${second.at - first.at} ms`);
	},

	async "the App API's rate limit"({ cio, app }) {
		const calls = Array.from({ length: 12 }, () => app.getCustomersByEmail("a@example.com"));
		assert.ok((await Promise.all(calls)).every(({ results }) => results.length === 1));
		const statuses = (await cio.received("app")).map(({ status }) => status);
		assert.ok(statuses.includes(429));
		const { most_in_window: most } = await cio.control("GET", "/rates?api=app&window_ms=990&accepted=1");
		assert.ok(most <= 10, `${most} in a second`);
	},

	async "an EU account at its own host"({ cio, account }) {
		await cio.of("PATCH", "", { region: "eu" });
		const url = `${cio.urls.eu.track}/api/v1`;
		const client = new TrackClient(account.site_id, account.track_key, { url });
		await client.identify("eu", { n: 1 });
		assert.equal(`${(await client.getAccountRegion()).url}/api/v1`, RegionEU.trackUrl);
		await cio.of("PATCH", "", { region: "us" });
	},
};

await main("retries", cases, prepare);
