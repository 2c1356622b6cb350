// Track API v1: segments, forms, and what became of deliveries; among it the calls that need no credentials.
import { identify } from "../account/profiles.mjs";
import { recordEvent } from "../account/events.mjs";
import { isObject } from "../server/exchange.mjs";
import { metaErrors } from "../server/answer.mjs";
import { ACCEPTED, bodyOf, forAccount } from "./track_access.mjs";
import { SEGMENT_IDS } from "./limits.mjs";
import { refusal } from "./track_v1.mjs";

const METRICS = new Set(["bounced", "clicked", "converted", "deferred", "delivered", "dropped", "opened", "spammed"]);
const PUSH_EVENTS = new Set(["opened", "converted", "delivered"]);
const FORM_KEYS = new Set(["form_id", "form_name", "form_type", "form_url", "form_url_param"]);

export function addTrackReports(router, world) {
	router.add("POST", "/api/v1/segments/:segment/add_customers", forAccount(world, changeSegment("add")));
	router.add("POST", "/api/v1/segments/:segment/remove_customers", forAccount(world, changeSegment("delete")));
	router.add("POST", "/api/v1/forms/:form/submit", forAccount(world, submitForm));
	router.add("POST", "/api/v1/metrics", (exchange) => postMetric(world, exchange, "metric", METRICS));
	router.add("POST", "/api/v1/push/events", (exchange) => postMetric(world, exchange, "event", PUSH_EVENTS));
	router.add("POST", "/unsubscribe/:delivery", (exchange, values) => postUnsubscribe(world, exchange, values));
}

function changeSegment(verb) {
	return (account, exchange, { segment: id }) => {
		const segment = account.segments.get(Number(id));
		const { ids } = bodyOf(exchange);
		if (!segment)
			throw refusal(account, `segment ${id} does not exist`, "errors");
		if (!Array.isArray(ids) || ids.length === 0 || ids.length > SEGMENT_IDS)
			throw refusal(account, `ids must have 1 to ${SEGMENT_IDS} entries`, "errors");
		const kind = exchange.query.get("id_type") ?? "id";
		for (const value of ids.filter((entry) => typeof entry === "string")) {
			const person = account.people.find({ [kind]: value });
			if (person)
				segment.members[verb](person.serial);
		}
	};
}

function submitForm(account, exchange, { form }) {
	const { data } = bodyOf(exchange);
	const kind = ["email", "id"].find((name) => typeof data?.[name] === "string" && data[name] !== "");
	if (!isObject(data) || !kind)
		throw refusal(account, "data must have an email or an id", "errors");
	const fields = Object.fromEntries(Object.entries(data).filter(([name]) => !FORM_KEYS.has(name)));
	identify(account, { [kind]: data[kind] }, fields);
	recordEvent(account, { [kind]: data[kind] }, { name: "form_submitted", data: { form_id: form } });
	return { status: 204, headers: {}, body: "" };
}

// A delivery's id is the secret that these calls are known by.
function findDelivery(world, id) {
	for (const account of world.accounts.all()) {
		const delivery = account.deliveries.get(id);
		if (delivery)
			return { account, delivery };
	}
	return undefined;
}

function postMetric(world, exchange, key, known) {
	const body = bodyOf(exchange);
	if (typeof body.delivery_id !== "string" || !known.has(body[key]))
		throw metaErrors(400, [`delivery_id and a known ${key} are needed`]);
	const found = findDelivery(world, body.delivery_id);
	if (found) {
		exchange.account = found.account;
		found.delivery.metrics.push(body[key]);
	}
	return ACCEPTED;
}

// Sets the attribute and reports it as an event of that delivery; topics stay as they are.
function postUnsubscribe(world, exchange, { delivery: id }) {
	const found = findDelivery(world, id);
	if (!found)
		throw metaErrors(400, ["delivery_id is not valid"]);
	const { account, delivery } = found;
	exchange.account = account;
	const before = account.people.get(delivery.serial);
	if (!before)
		return ACCEPTED;
	const attributes = { ...before.attributes, unsubscribed: bodyOf(exchange).unsubscribe !== false };
	const after = account.people.replace({ ...before, attributes });
	account.webhooks.noteChange(before, after, "email", { delivery_id: id });
	return ACCEPTED;
}
