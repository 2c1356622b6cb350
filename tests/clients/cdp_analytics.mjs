// @customerio/cdp-analytics-node: every method, its batches and its retries.
import assert from "node:assert/strict";
import { checkComplete, load, main } from "./harness.mjs";

const { Analytics } = load("@customerio/cdp-analytics-node");
const PLUGIN = { name: "probe", type: "enrichment", version: "1", isLoaded: () => true, load: async () => {} };

async function prepare(cio) {
	const { pipelines_key: writeKey } = await cio.create({ people: [{ id: "before", plan: "free" }] });
	const place = { host: cio.urls.us.pipelines, path: "/v1/batch" };
	const make = (settings) => new Analytics({ writeKey, ...place, ...settings });
	return { cio, make, analytics: make({ maxEventsInBatch: 1 }) };
}

// The context of one call after its delivery, or what made that fail.
function sent(analytics, method, call) {
	return new Promise((resolve) => analytics[method](call, (error, context) => resolve({ error, context })));
}

const large = (letter) => ({ userId: "c1", event: "large", properties: { text: letter.repeat(33_000) } });

async function deliver(analytics, method, call) {
	const { error, context } = await sent(analytics, method, call);
	assert.equal(error, undefined);
	assert.equal(context.failedDelivery(), undefined);
}

async function requestsWith(cio, text) {
	return (await cio.received("pipelines")).filter(({ body }) => body.includes(text)).length;
}

const cases = {
	async identify({ cio, analytics }) {
		const traits = { email: "c1@example.com", unsubscribed: "1" };
		await deliver(analytics, "identify", { userId: "c1", traits });
		assert.equal((await cio.person("email", "c1@example.com")).attributes.unsubscribed, "1");
	},

	async track({ cio, analytics }) {
		await deliver(analytics, "track", { userId: "c1", event: "bought", properties: { price: 7 } });
		assert.deepEqual((await cio.events("id=c1&name=bought"))[0].data, { price: 7 });
	},

	async page({ cio, analytics }) {
		await deliver(analytics, "page", { userId: "c1", category: "shop", name: "Home", properties: {} });
		assert.equal((await cio.events("id=c1&name=Home"))[0].type, "page");
	},

	async screen({ cio, analytics }) {
		await deliver(analytics, "screen", { anonymousId: "anon-c", name: "Start" });
		assert.equal((await cio.events("anonymous_id=anon-c"))[0].type, "screen");
	},

	async group({ cio, analytics }) {
		await deliver(analytics, "group", { userId: "c1", groupId: "acme", traits: { name: "Acme" } });
		assert.equal((await cio.of("GET", "/objects")).items[0].attributes.name, "Acme");
	},

	async alias({ cio, analytics }) {
		await deliver(analytics, "alias", { userId: "c1", previousId: "before" });
		assert.equal((await cio.person("id", "c1")).attributes.plan, "free");
	},

	async register({ make }) {
		await make({}).register(PLUGIN);
	},

	async deregister({ make }) {
		const analytics = make({});
		await analytics.register(PLUGIN);
		await analytics.deregister(PLUGIN.name);
	},

	async closeAndFlush({ cio, make }) {
		const analytics = make({ maxEventsInBatch: 10 });
		const before = (await cio.received("pipelines", "/v1/batch")).length;
		for (let i = 0; i < 25; i++)
			analytics.track({ userId: "flushed", event: `e${i}` });
		await analytics.closeAndFlush();
		const requests = (await cio.received("pipelines", "/v1/batch")).slice(before);
		const sizes = requests.map(({ body }) => JSON.parse(body).batch.length);
		assert.deepEqual(sizes.sort(), [10, 10, 5]);
		assert.equal((await cio.events("id=flushed")).length, 25);
	},

	async "a batch that is refused is not sent again"({ cio, analytics }) {
		await cio.fault({ api: "pipelines", body: "refused", do: { status: 400 } });
		const { error, context } = await sent(analytics, "track", { userId: "refused", event: "e" });
		assert.ok(error ?? context.failedDelivery());
		assert.equal(await requestsWith(cio, "refused"), 1);
	},

	async "an event is delivered once in spite of failures"({ cio, analytics }) {
		await cio.fault({ api: "pipelines", body: "stubborn", count: 1, do: { status: 503 } });
		await cio.fault({ api: "pipelines", body: "stubborn", count: 1, do: { reset: true } });
		await cio.fault({ api: "pipelines", body: "stubborn", count: 1, do: { lost: true } });
		await deliver(analytics, "track", { userId: "stubborn", event: "e" });
		assert.equal(await requestsWith(cio, "stubborn"), 4);
		assert.equal((await cio.events("id=stubborn")).length, 1);
	},

	// The client measures an event by a rule of its own, which knows the letter i only.
	async "an event that the client finds too large is not sent"({ analytics }) {
		const { error, context } = await sent(analytics, "track", large("i"));
		assert.ok(error ?? context.failedDelivery());
	},

	async "an event that is too large is accepted and dropped"({ cio, analytics }) {
		await deliver(analytics, "track", large("x"));
		assert.deepEqual(await cio.events("name=large"), []);
	},

	async "every method is tried"() {
		checkComplete(Analytics, cases, ["VERSION", "_dispatch"]);
	},
};

await main("cdp-analytics", cases, prepare);
