// customerio-node's PipelinesClient: every method, strict and not.
import assert from "node:assert/strict";
import { checkComplete, failure, load, main } from "./harness.mjs";

const { PipelinesClient } = load("customerio-node");

async function prepare(cio) {
	const { pipelines_key: key } = await cio.create({ people: [{ id: "anon-7", plan: "free" }] });
	const url = `${cio.urls.us.pipelines}/v1`;
	const client = new PipelinesClient(key, { url, strictMode: true });
	return { cio, client, url, key };
}

const cases = {
	async identify({ cio, client }) {
		await client.identify({ userId: "7", traits: { email: "p@example.com", unsubscribed: true } });
		const person = await cio.person("email", "p@example.com");
		assert.deepEqual([person.id, person.attributes.unsubscribed], ["7", true]);
	},

	async track({ cio, client }) {
		const call = { userId: "7", event: "bought", properties: { price: 7 }, messageId: "m-1",
			timestamp: "2026-01-02T03:04:05.678Z" };
		await client.track(call);
		await client.track(call);
		const events = await cio.events("id=7&name=bought");
		assert.deepEqual(events.map((event) => [event.timestamp, event.data]), [[1767323045, { price: 7 }]]);
		await client.track({ userId: "8", event: "User Suppressed" });
		assert.deepEqual((await cio.of("GET", "/suppressed")).id, ["8"]);
	},

	async page({ cio, client }) {
		await client.page({ anonymousId: "anon-1", name: "Home", properties: { url: "/" } });
		const [event] = await cio.events("anonymous_id=anon-1");
		assert.deepEqual([event.type, event.name], ["page", "Home"]);
	},

	async screen({ cio, client }) {
		await client.screen({ userId: "7", name: "Start" });
		assert.equal((await cio.events("id=7&name=Start"))[0].type, "screen");
	},

	async group({ cio, client }) {
		const traits = { name: "Acme", relationshipAttributes: { role: "boss" } };
		await client.group({ userId: "7", groupId: "acme", traits });
		const { relationships } = await cio.person("id", "7");
		assert.deepEqual(relationships[0].relationship_attributes, { role: "boss" });
	},

	async alias({ cio, client }) {
		await client.alias({ userId: "7", previousId: "anon-7" });
		assert.equal(await cio.person("id", "anon-7"), undefined);
		assert.equal((await cio.person("id", "7")).attributes.plan, "free");
	},

	async batch({ cio, client }) {
		const userId = "9";
		const identify = { type: "identify", userId, traits: { n: 1 } };
		await client.batch([identify, { type: "track", userId, event: "e" }]);
		assert.equal((await cio.person("id", "9")).attributes.n, 1);
		const [request] = await cio.received("pipelines", "/v1/batch");
		assert.equal(JSON.parse(request.body).batch.length, 2);
	},

	async "a wrong key, strict"({ url }) {
		const client = new PipelinesClient("bogus", { url, strictMode: true });
		assert.equal((await failure(client.identify({ userId: "1" }))).statusCode, 401);
	},

	async "a wrong key, not strict"({ url }) {
		assert.deepEqual(await new PipelinesClient("bogus", { url }).identify({ userId: "1" }), {});
	},

	async "too large, strict"({ client }) {
		const call = { userId: "1", traits: { text: "x".repeat(33_000) } };
		assert.equal((await failure(client.identify(call))).statusCode, 400);
	},

	async "too large, not strict"({ cio, url, key }) {
		const call = { userId: "large", traits: { text: "x".repeat(33_000) } };
		assert.deepEqual(await new PipelinesClient(key, { url }).identify(call), {});
		assert.equal(await cio.person("id", "large"), undefined);
	},

	async "every method is tried"() {
		checkComplete(PipelinesClient, cases, ["envelope"]);
	},
};

await main("pipelines", cases, prepare);
