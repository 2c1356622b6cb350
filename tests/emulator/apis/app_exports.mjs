// App API: exports, and the place that their files are fetched from (a host of its own, without the key).
import { appAnswer, appError } from "../server/answer.mjs";
import { isObject } from "../server/exchange.mjs";
import { bodyOf, forAccount } from "./app_access.mjs";
import { filterOf } from "./app_customers.mjs";

const DELIVERIES_OF = ["newsletter_id", "campaign_id", "transactional_message_id", "action_id"];
const DENIED = {
	status: 403, headers: { "content-type": "application/xml" }, body: "<Error><Code>AccessDenied</Code></Error>",
};

export function addAppExports(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, allowed(handler)));
	add("GET", "/v1/exports", getList);
	add("POST", "/v1/exports/customers", postCustomers);
	add("POST", "/v1/exports/deliveries", postDeliveries);
	add("GET", "/v1/exports/:export", getExport);
	add("GET", "/v1/exports/:export/download", (account, exchange, values) => getLink(world, account, values));
}

export function addDownloads(router, world) {
	router.add("GET", "/:account/exports/:file", (exchange, values) => getFile(world, exchange, values));
}

function allowed(handler) {
	return (account, exchange, values) => {
		if (account.settings.export.forbidden)
			throw appError(403, "this key may not export");
		return handler(account, exchange, values);
	};
}

// A workspace without exports answers null, not an empty list.
function getList(account) {
	const all = account.exports.list();
	return appAnswer({ exports: all.length > 0 ? all : null });
}

function postCustomers(account, exchange) {
	const { filters, attributes = [], description } = bodyOf(exchange);
	if (!isObject(filters))
		throw appError(400, "filters is required");
	if (!Array.isArray(attributes) || !attributes.every((name) => typeof name === "string"))
		throw appError(400, "attributes must be a list of names");
	const matches = filterOf(account, filters);
	return appAnswer({ export: account.exports.create("customers", { matches, attributes, description }) });
}

function postDeliveries(account, exchange) {
	const body = bodyOf(exchange);
	if (DELIVERIES_OF.filter((name) => body[name] !== undefined).length !== 1)
		throw appError(400, `exactly one of ${DELIVERIES_OF.join(", ")} is required`);
	return appAnswer({ export: account.exports.create("deliveries", { attributes: body.attributes }) });
}

function getExport(account, exchange, values) {
	const found = account.exports.look(values.export);
	if (!found)
		throw appError(404, "export not found");
	return appAnswer({ export: found });
}

function getLink(world, account, values) {
	const link = account.exports.link(values.export);
	if (!link)
		throw appError(404, "export not found");
	return appAnswer({ url: world.urls[account.region].downloads + link });
}

function getFile(world, exchange, { account: name, file }) {
	const account = world.accounts.get(name);
	const id = file.replace(/\.csv$/, "");
	const { expires, signature } = Object.fromEntries(exchange.query);
	if (!account?.exports.isLinkGood(id, expires, signature))
		return DENIED;
	exchange.account = account;
	const headers = { "content-type": "text/csv", "content-disposition": `attachment; filename="${file}"` };
	return { status: 200, headers, stream: account.exports.file(id) };
}
