// App API: the settings of reporting webhooks. A webhook made here sends as one made by the control API does.
import { appAnswer, appError } from "../server/answer.mjs";
import { bodyOf, forAccount } from "./app_access.mjs";

const WEBHOOKS = "/v1/reporting_webhooks";
const SETTINGS = ["name", "endpoint", "events", "disabled", "full_resolution", "with_content"];

export function addAppWebhooks(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	add("GET", WEBHOOKS, getAll);
	add("POST", WEBHOOKS, post);
	add("GET", `${WEBHOOKS}/:webhook`, (account, exchange, values) => shown(webhookIn(account, values)));
	add("PUT", `${WEBHOOKS}/:webhook`, put);
	add("DELETE", `${WEBHOOKS}/:webhook`, remove);
}

const shown = (sender) => appAnswer(sender.publicSettings());

function webhookIn(account, { webhook: id }) {
	const sender = account.webhooks.get(id);
	if (!sender)
		throw appError(404, "reporting webhook not found");
	return sender;
}

function getAll(account) {
	return appAnswer({ reporting_webhooks: account.webhooks.all().map((sender) => sender.publicSettings()) });
}

function settingsIn(exchange) {
	const body = bodyOf(exchange);
	if ("endpoint" in body && !isAddress(body.endpoint))
		throw appError(422, "endpoint must be an address", { pointer: "/endpoint" });
	if ("events" in body && !Array.isArray(body.events))
		throw appError(422, "events must be a list", { pointer: "/events" });
	return Object.fromEntries(SETTINGS.filter((name) => name in body).map((name) => [name, body[name]]));
}

function isAddress(text) {
	try {
		return ["http:", "https:"].includes(new URL(text).protocol);
	} catch {
		return false;
	}
}

function post(account, exchange) {
	const settings = settingsIn(exchange);
	for (const name of ["name", "endpoint", "events"]) {
		if (settings[name] === undefined)
			throw appError(422, `${name} is required`, { pointer: `/${name}` });
	}
	return shown(account.webhooks.create(settings));
}

function put(account, exchange, values) {
	const sender = webhookIn(account, values);
	sender.configure(settingsIn(exchange));
	return shown(sender);
}

function remove(account, exchange, values) {
	account.webhooks.remove(webhookIn(account, values).id);
	return { status: 204, headers: {}, body: "" };
}
