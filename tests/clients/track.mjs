// customerio-node's TrackClient: every method, and what the emulator made of it.
import assert from "node:assert/strict";
import { checkComplete, failure, load, main } from "./harness.mjs";

const { TrackClient, IdentifierType, RegionUS } = load("customerio-node");

async function prepare(cio) {
	const account = await cio.create({
		segments: [{ id: 4, name: "Testers" }],
		people: [{ id: "gone" }, { id: "quiet", email: "quiet@example.com" }, { id: "phone" }, { id: "sender" },
			{ id: "a", plan: "pro" }, { email: "b@example.com", plan: "free", city: "Bonn" },
			{ id: "m1" }, { id: "m2" }, { email: "out@example.com" }],
		deliveries: [{ delivery_id: "d-1", email: "out@example.com" }],
	});
	const url = `${cio.urls.us.track}/api/v1`;
	const client = new TrackClient(account.site_id, account.track_key, { url });
	return { cio, client, account, url };
}

const STRANGE = "a/b+c d:&=$%ö";

const cases = {
	async identify({ cio, client }) {
		const answer = await client.identify("42", { email: "Jo@Example.com", created_at: 1489014595,
			unsubscribed: "TRUE", "cio_subscription_preferences.topics.topic_7": false });
		assert.deepEqual(answer, {});
		const person = await cio.person("email", "jo@example.COM");
		assert.equal(person.id, "42");
		assert.equal(person.attributes.created_at, 1489014595);
		assert.deepEqual(person.attributes.cio_subscription_preferences, { topics: { topic_7: false } });
	},

	async destroy({ cio, client }) {
		await client.destroy("gone");
		assert.equal(await cio.person("id", "gone"), undefined);
	},

	async suppress({ cio, client }) {
		await client.suppress("quiet");
		await client.identify("quiet", { plan: "pro" });
		await client.track("quiet@example.com", { name: "unheard" });
		assert.equal(await cio.person("id", "quiet"), undefined);
		assert.deepEqual(await cio.events("name=unheard"), []);
	},

	async unsuppress({ cio, client }) {
		await client.unsuppress("quiet");
		await client.identify("quiet", { plan: "pro" });
		assert.equal((await cio.person("id", "quiet")).attributes.plan, "pro");
	},

	async track({ cio, client }) {
		const data = { price: 7 };
		const event = { name: " bought ", id: "01E4C4CT6YDC7Y5M7FE1GWWPQJ", timestamp: 1613063089, data };
		await client.track("42", event);
		await client.track("42", event);
		const events = await cio.events("id=42&name=bought");
		assert.equal(events.length, 1);
		assert.deepEqual([events[0].timestamp, events[0].data, events[0].type], [1613063089, data, "event"]);
	},

	async trackAnonymous({ cio, client }) {
		await client.trackAnonymous("anon-1", { name: "looked" });
		await client.trackAnonymous("", { name: "invited", data: { recipient: "x@example.com" } });
		assert.equal((await cio.events("anonymous_id=anon-1"))[0].name, "looked");
		assert.equal((await cio.events("name=invited"))[0].anonymous_id, null);
	},

	async trackPageView({ cio, client }) {
		await client.trackPageView("42", "/home");
		assert.equal((await cio.events("name=/home"))[0].type, "page");
	},

	async trackPush({ cio, client }) {
		await client.trackPush({ delivery_id: "d-1", event: "opened", device_id: "tok" });
		assert.ok((await cio.of("GET", "/deliveries")).items[0].metrics.includes("opened"));
	},

	async addDevice({ cio, client }) {
		await client.addDevice("phone", "tok/1", "ios", { last_used: 1613063089, colour: "red" });
		const [device] = (await cio.person("id", "phone")).devices;
		assert.deepEqual(device,
			{ id: "tok/1", platform: "ios", last_used: 1613063089, attributes: { colour: "red" } });
	},

	async deleteDevice({ cio, client }) {
		await client.deleteDevice("phone", "tok/1");
		assert.deepEqual((await cio.person("id", "phone")).devices, []);
	},

	async batch({ cio, client }) {
		const identify = (id) => ({ type: "person", action: "identify", identifiers: { id }, attributes: {} });
		assert.deepEqual(await client.batch([identify("b1"), identify("b2")]), {});
		const { errors } = await client.batch([identify("b3"), { type: "person", action: "fly" }]);
		assert.deepEqual([errors.length, errors[0].batch_index, errors[0].reason], [1, 1, "invalid"]);
		for (const id of ["b1", "b2", "b3"])
			assert.ok(await cio.person("id", id), id);
	},

	async mergeCustomers({ cio, client }) {
		await client.mergeCustomers(IdentifierType.Id, "a", IdentifierType.Email, "b@example.com");
		const { email, attributes } = await cio.person("id", "a");
		assert.deepEqual([email, attributes.plan, attributes.city], ["b@example.com", "pro", "Bonn"]);
		await client.mergeCustomers(IdentifierType.Id, "nobody", IdentifierType.Id, "a");
		assert.ok(await cio.person("id", "a"), "without a primary nothing happens");
	},

	async getAccountRegion({ cio, client }) {
		const answer = await client.getAccountRegion();
		assert.deepEqual(answer, { url: "https://track.customer.io", region: "us", environment_id: 1 });
		assert.equal(`${answer.url}/api/v1`, RegionUS.trackUrl);
		assert.equal((await cio.received("track", "/api/v1/accounts")).at(-1).status, 200);
	},

	async entity({ cio, client }) {
		const company = { identifiers: { object_type_id: "1", object_id: "acme" } };
		await client.entity({ type: "person", action: "identify", identifiers: { email: "ent@example.com" },
			attributes: { n: 1 }, cio_relationships: [company] });
		assert.equal((await cio.person("email", "ent@example.com")).relationships.length, 1);
		const error = await failure(client.entity({ type: "person", action: "identify", attributes: {} }));
		assert.equal(error.statusCode, 400);
		assert.deepEqual(JSON.parse(error.body).errors[0].reason, "required");
	},

	async addCustomersToSegment({ cio, client }) {
		await client.addCustomersToSegment(4, ["m1", "m2", "nobody"]);
		assert.deepEqual((await cio.person("id", "m1")).segments, [4]);
	},

	async removeCustomersFromSegment({ cio, client }) {
		await client.removeCustomersFromSegment(4, ["m1"], IdentifierType.Id);
		assert.deepEqual((await cio.person("id", "m1")).segments, []);
		assert.deepEqual((await cio.person("id", "m2")).segments, [4]);
	},

	async submitForm({ cio, client }) {
		const form = { email: "form@example.com", city: "Ulm", form_name: "x" };
		assert.deepEqual(await client.submitForm("f1", form), {});
		const { attributes } = await cio.person("email", "form@example.com");
		assert.deepEqual(attributes, { city: "Ulm" });
	},

	async reportMetric({ cio, client }) {
		await client.reportMetric({ delivery_id: "d-1", metric: "bounced", recipient: "out@example.com" });
		assert.ok((await cio.of("GET", "/deliveries")).items[0].metrics.includes("bounced"));
	},

	async unsubscribe({ cio, client }) {
		await client.unsubscribe("d-1");
		assert.equal((await cio.person("email", "out@example.com")).attributes.unsubscribed, true);
		assert.equal((await failure(client.unsubscribe("no-such-delivery"))).statusCode, 400);
	},

	async "an identifier with reserved characters"({ cio, client }) {
		await client.identify(STRANGE, { n: 1 });
		assert.ok(await cio.person("id", STRANGE));
		await client.identify(`${STRANGE}@`, { n: 1 });
		assert.ok(await cio.person("email", `${STRANGE}@`));
	},

	async "a wrong key"({ url, account }) {
		const error = await failure(new TrackClient(account.site_id, "wrong", { url }).identify("1", {}));
		assert.deepEqual([error.statusCode, error.message], [401, "Unauthorized request"]);
	},

	async "one error"({ client }) {
		const error = await failure(client.identify("42", { long: "x".repeat(1001) }));
		assert.deepEqual([error.statusCode, error.message],
			[400, "value for attribute 'long' cannot be longer than 1000 bytes"]);
	},

	async "a list of errors"({ client }) {
		const error = await failure(client.track("42", { name: "x".repeat(101) }));
		assert.deepEqual([error.statusCode, error.message],
			[400, "1 error:\n  - event name cannot be longer than 100 bytes"]);
	},

	async "the wrong region"({ cio, client, account }) {
		const url = `${cio.urls.eu.track}/api/v1`;
		assert.equal((await failure(new TrackClient(account.site_id, account.track_key, { url })
			.identify("1", {}))).statusCode, 401);
		await cio.of("PATCH", "", { region: "eu" });
		// The client follows, but gives its credentials to nobody but customer.io.
		assert.equal((await failure(client.identify("1", {}))).statusCode, 401);
		const last = (await cio.received("track")).at(-1);
		assert.deepEqual([last.region, last.headers.authorization], ["eu", undefined]);
		await cio.of("PATCH", "", { region: "us" });
	},

	async "every method is tried"() {
		checkComplete(TrackClient, cases);
	},
};

await main("track", cases, prepare);
