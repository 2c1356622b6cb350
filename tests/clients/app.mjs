// customerio-node's APIClient: what a workspace knows of its people, and what it sends.
import assert from "node:assert/strict";
import { checkComplete, failure, load, main } from "./harness.mjs";
import { emptyCases } from "./app_empty.mjs";

const clients = load("customerio-node");
const { APIClient, FilterOperator, IdentifierType } = clients;

const UNSUBSCRIBED = { attribute: { field: "unsubscribed", operator: FilterOperator?.Eq ?? "eq", value: true } };

async function prepare(cio) {
	const account = await cio.create({
		app_rate: { limit: 1000 },
		topics: [{ id: 4, name: "Updates", subscribed_by_default: false }, { id: 7, name: "Offers" }],
		people: [
			{ id: "1", email: "Test+x#?@example.com", created_at: 1489014595, segments: [4],
				cio_subscription_preferences: { topics: { topic_7: false } } },
			{ id: "2", email: "two@example.com", unsubscribed: true },
			{ email: "three@example.com", unsubscribed: "TRUE" },
		],
		segments: [{ id: 4, name: "Testers" }],
		deliveries: [{ delivery_id: "d-1", id: "1" }],
	});
	const trackUrl = `${cio.urls.us.track}/api/v1`;
	const track = new clients.TrackClient(account.site_id, account.track_key, { url: trackUrl });
	await track.track("1", { name: "bought" });
	await track.entity({ type: "object", action: "identify", attributes: { n: 1 },
		identifiers: { object_type_id: "1", object_id: "acme" },
		cio_relationships: [{ identifiers: { id: "1" } }] });
	const url = `${cio.urls.us.app}/v1`;
	return { cio, url, account, app: new APIClient(account.app_key, { url }) };
}

const SENDING = { transactional_message_id: "1", identifiers: { id: "1" } };

function sends(method, Request, options) {
	return async ({ cio, app }) => {
		const answer = await app[method](new clients[Request]({ ...SENDING, ...options }));
		assert.ok(answer.delivery_id && answer.queued_at);
		const last = (await cio.of("GET", "/sent")).items.at(-1);
		assert.equal(last.delivery_id, answer.delivery_id);
	};
}

const cases = {
	async sendEmail({ cio, app }) {
		const request = new clients.SendEmailRequest({ ...SENDING, to: "a@example.com" });
		request.attach("a.txt", "hello");
		const { delivery_id: id } = await app.sendEmail(request);
		assert.equal((await app.getMessage(id)).message.recipient, "a@example.com");
		assert.equal((await cio.of("GET", "/sent")).items.at(-1).message.attachments["a.txt"], "aGVsbG8=");
	},
	sendPush: sends("sendPush", "SendPushRequest"),
	sendSMS: sends("sendSMS", "SendSMSRequest"),
	sendWhatsApp: sends("sendWhatsApp", "SendWhatsAppRequest", { to: "+4912345678" }),
	sendInboxMessage: sends("sendInboxMessage", "SendInboxMessageRequest"),
	sendInApp: sends("sendInApp", "SendInAppRequest"),

	async getCustomersByEmail({ app }) {
		const { results } = await app.getCustomersByEmail("test+X#?@example.com");
		assert.deepEqual(results.map(({ id }) => id), ["1"]);
		assert.deepEqual(await app.getCustomersByEmail("nobody@example.com"), { results: [] });
	},

	async triggerBroadcast({ cio, app }) {
		assert.deepEqual(await app.triggerBroadcast(12, { n: 1 }, { segment: { id: 7 } }), { id: 1 });
		const { request } = (await cio.of("GET", "/sent")).items.at(-1);
		assert.deepEqual(request, { data: { n: 1 }, recipients: { segment: { id: 7 } } });
	},
	async getBroadcastTriggerStatus({ app }) {
		assert.equal((await app.getBroadcastTriggerStatus(12, 1)).campaign_id, 12);
	},
	async getBroadcastTriggerErrors({ app }) {
		assert.deepEqual((await app.getBroadcastTriggerErrors(12, 1)).errors, []);
	},

	async listExports({ app }) {
		assert.deepEqual(await app.listExports(), { exports: null });
		await app.createCustomersExport(UNSUBSCRIBED);
		assert.equal((await app.listExports()).exports.length, 1);
	},
	async createCustomersExport({ app }) {
		const { export: made } = await app.createCustomersExport({ and: [UNSUBSCRIBED] });
		assert.deepEqual([made.type, made.status, made.total], ["customers", "pending", 0]);
	},
	async getExport({ app }) {
		assert.equal((await app.getExport(111)).export.status, "pending");
		const { export: done } = await app.getExport(111);
		assert.deepEqual([done.status, done.total], ["done", 2]);
		assert.equal((await failure(app.getExport(999))).statusCode, 404);
	},
	async downloadExport({ app }) {
		const { url } = await app.downloadExport(111);
		const text = await (await fetch(url)).text();
		assert.equal(text, "id,email\n2,two@example.com\n,three@example.com\n");
	},
	async createDeliveriesExport({ app }) {
		assert.equal((await app.createDeliveriesExport(3, { metric: "opened" })).export.type, "deliveries");
	},

	async getAttributes({ app }) {
		const { customer } = await app.getAttributes("1");
		const { attributes } = customer;
		assert.equal(attributes.created_at, "1489014595");
		assert.equal(attributes.cio_subscription_preferences, '{"topics":{"topic_7":false}}');
		assert.deepEqual(JSON.parse(attributes._cio_subscription_preferences_computed),
			{ topics: { topic_4: false, topic_7: false } });
		assert.equal(customer.unsubscribed, false);
		const { customer: other } = await app.getAttributes("three@example.com", IdentifierType.Email);
		assert.equal(other.unsubscribed, true);
		const cio = customer.identifiers.cio_id;
		for (const id of [cio, `cio_${cio}`])
			assert.equal((await app.getAttributes(id, IdentifierType.CioId)).customer.id, "1");
		assert.equal((await failure(app.getAttributes("nobody"))).statusCode, 404);
	},
	async getCustomersAttributes({ app }) {
		const { customers } = await app.getCustomersAttributes(["1", "2", "nobody"]);
		assert.deepEqual(customers.map(({ customer }) => customer.id), ["1", "2"]);
	},
	async getCustomerActivities({ app }) {
		assert.equal((await app.getCustomerActivities("1", { type: "event" })).activities[0].name, "bought");
	},
	async getCustomerMessages({ app }) {
		assert.ok((await app.getCustomerMessages("1")).messages.some(({ id }) => id === "d-1"));
	},
	async getCustomerRelationships({ app }) {
		const { cio_relationships: [one] } = await app.getCustomerRelationships("1");
		assert.equal(one.identifiers.object_id, "acme");
	},
	async getCustomerSegments({ app }) {
		assert.deepEqual((await app.getCustomerSegments("1")).segments.map(({ id }) => id), [4]);
	},
	async getCustomerSubscriptionPreferences({ app }) {
		const { customer: { topics } } = await app.getCustomerSubscriptionPreferences("1");
		assert.deepEqual(topics.map(({ id, subscribed }) => [id, subscribed]), [[4, false], [7, false]]);
		const other = await app.getCustomerSubscriptionPreferences("2", { language: "de" });
		assert.deepEqual(other.customer.topics.map(({ subscribed }) => subscribed), [false, true]);
		assert.equal(other.customer.unsubscribed, true);
	},
	async searchCustomers({ app }) {
		const first = await app.searchCustomers(UNSUBSCRIBED, { limit: 1 });
		assert.deepEqual([first.identifiers[0].email, first.ids], ["two@example.com", ["2"]]);
		const second = await app.searchCustomers(UNSUBSCRIBED, { limit: 1, start: first.next });
		assert.deepEqual([second.identifiers[0].id, second.ids, second.next], [null, [""], ""]);
		assert.equal((await failure(app.searchCustomers({ or: [], and: [] }))).statusCode, 400);
	},

	async getObjectAttributes({ app }) {
		assert.deepEqual((await app.getObjectAttributes("1", "acme")).object.attributes, { n: 1 });
	},
	async getObjectRelationships({ app }) {
		assert.equal((await app.getObjectRelationships("1", "acme")).cio_relationships[0].identifiers.id, "1");
	},
	async findObjects({ app }) {
		assert.deepEqual((await app.findObjects("1", { object_attribute: {} })).ids, ["acme"]);
	},
	async listObjectTypes({ app }) {
		assert.deepEqual((await app.listObjectTypes()).types.map(({ id }) => id), ["1"]);
	},
	async listActivities({ app }) {
		assert.equal((await app.listActivities({ customerId: "1" })).activities.length, 1);
	},

	async createSegment({ app }) {
		assert.equal((await app.createSegment({ name: "New" })).segment.id, 5);
	},
	async listSegments({ app }) {
		assert.deepEqual((await app.listSegments()).segments.map(({ name }) => name), ["Testers", "New"]);
	},
	async getSegment({ app }) {
		assert.equal((await app.getSegment(4)).segment.name, "Testers");
	},
	async deleteSegment({ app }) {
		await app.deleteSegment(5);
		assert.equal((await failure(app.getSegment(5))).statusCode, 404);
	},
	async getSegmentCustomerCount({ app }) {
		assert.equal((await app.getSegmentCustomerCount(4)).count, 1);
	},
	async getSegmentMembership({ app }) {
		assert.deepEqual((await app.getSegmentMembership(4, { limit: 30_000 })).ids, ["1"]);
	},
	async getSegmentUsedBy({ app }) {
		assert.ok((await app.getSegmentUsedBy(4)).used_by);
	},

	async listSubscriptionTopics({ app }) {
		const { topics: [first] } = await app.listSubscriptionTopics();
		assert.deepEqual(first, {
			id: 4, identifier: "topic_4", name: "Updates", description: "", subscribed_by_default: false,
		});
	},
	async listSubscriptionChannels({ app }) {
		assert.equal((await app.listSubscriptionChannels()).channels[0].type, "email");
	},
	async getSubscriptionCenterToken({ app }) {
		assert.match((await app.getSubscriptionCenterToken("1")).url, /^https:\/\/track\.customer\.io\/u\/i\//);
		assert.equal((await failure(app.getSubscriptionCenterToken("nobody"))).statusCode, 400);
	},

	async createSuppression({ app }) {
		assert.deepEqual(await app.createSuppression("bounces", "bad@example.com"), {});
	},
	async searchSuppression({ app }) {
		const { category, suppressions } = await app.searchSuppression("bad@example.com");
		assert.deepEqual([category, suppressions[0].email], ["bounces", "bad@example.com"]);
	},
	async getSuppressions({ app }) {
		assert.equal((await app.getSuppressions("bounces", { limit: 10 })).suppressions.length, 1);
	},
	async getDomainSuppressions({ app }) {
		const { suppressions, next } = await app.getDomainSuppressions("example.com", "bounces");
		assert.deepEqual([suppressions.length, next], [1, ""]);
	},
	async deleteSuppression({ app }) {
		await app.deleteSuppression("bounces", "bad@example.com");
		assert.deepEqual((await app.getSuppressions("bounces")).suppressions, []);
	},

	async createReportingWebhook({ app }) {
		const made = await app.createReportingWebhook({ name: "w", endpoint: "http://127.0.0.1:9/",
			disabled: true, events: ["customer_unsubscribed"] });
		assert.equal(made.id, 1);
	},
	async listReportingWebhooks({ app }) {
		assert.equal((await app.listReportingWebhooks()).reporting_webhooks.length, 1);
	},
	async getReportingWebhook({ app }) {
		assert.deepEqual((await app.getReportingWebhook(1)).events, ["customer_unsubscribed"]);
	},
	async updateReportingWebhook({ app }) {
		assert.equal((await app.updateReportingWebhook(1, { name: "v" })).name, "v");
	},
	async deleteReportingWebhook({ app }) {
		await app.deleteReportingWebhook(1);
		assert.equal((await failure(app.getReportingWebhook(1))).statusCode, 404);
	},

	async getMessages({ app }) {
		assert.ok((await app.getMessages({ limit: 10 })).messages.length > 0);
	},
	async getMessage({ app }) {
		assert.equal((await app.getMessage("d-1")).message.subject, "Hello");
	},
	async listWorkspaces({ app }) {
		assert.equal((await app.listWorkspaces()).workspaces[0].id, 1);
	},
	async getIpAddresses({ app }) {
		assert.ok((await app.getIpAddresses()).ip_addresses.length > 0);
	},

	...emptyCases,

	async "a wrong key"({ url }) {
		const error = await failure(new APIClient("wrong", { url }).listSubscriptionTopics());
		assert.equal(error.statusCode, 401);
		assert.equal(JSON.parse(error.body).errors[0].code, "invalid_credentials");
	},
	async "a key that may not export"({ cio, app }) {
		await cio.of("PATCH", "", { export: { forbidden: true } });
		assert.equal((await failure(app.createCustomersExport(UNSUBSCRIBED))).statusCode, 403);
		await cio.of("PATCH", "", { export: {} });
	},
	async "an export that fails"({ cio, app }) {
		await cio.of("PATCH", "", { export: { fail: true, polls: 0 } });
		const { export: { id } } = await app.createCustomersExport(UNSUBSCRIBED);
		const { export: failed } = await app.getExport(id);
		assert.deepEqual([failed.status, failed.failed], ["failed", true]);
		await cio.of("PATCH", "", { export: {} });
	},
	async "every method is tried"() {
		checkComplete(APIClient, cases, ["resourceBase"]);
	},
};

await main("app", cases, prepare);
