// App API: the addresses that the sending provider suppresses, whatever the person's profile says.
import { appAnswer, appError } from "../server/answer.mjs";
import { cursorAt, forAccount, pageOf } from "./app_access.mjs";

const TYPES = ["blocks", "bounces", "spam_reports", "invalid_emails"];
const LIMIT = 1000;
const STANDARD_LIMIT = 100;

export function addAppSuppressions(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	add("GET", "/v1/esp/search_suppression/:email", search);
	add("GET", "/v1/esp/suppression/:type", getByOffset);
	add("GET", "/v1/esp/domains/:domain/suppression/:type", getByCursor);
	add("POST", "/v1/esp/suppression/:type/:email", suppress);
	add("DELETE", "/v1/esp/suppression/:type/:email", unsuppress);
}

function suppressionsOf(account, type) {
	if (!TYPES.includes(type))
		throw appError(400, `${type} is no type of suppression`);
	if (!account.suppressions.has(type))
		account.suppressions.set(type, new Map());
	return account.suppressions.get(type);
}

function search(account, exchange, { email }) {
	const category = TYPES.find((type) => suppressionsOf(account, type).has(email)) ?? "";
	const found = category ? [suppressionsOf(account, category).get(email)] : [];
	return appAnswer({ category, suppressions: found });
}

function getByOffset(account, exchange, { type }) {
	const offset = Number(exchange.query.get("offset") ?? 0);
	const { limit } = pageOf(exchange, LIMIT, STANDARD_LIMIT);
	const domain = exchange.query.get("domain") ?? "";
	const all = [...suppressionsOf(account, type).values()].filter(({ email }) => email.endsWith(domain));
	return appAnswer({ category: type, suppressions: all.slice(offset, offset + limit) });
}

function getByCursor(account, exchange, { domain, type }) {
	const { start, limit } = pageOf(exchange, LIMIT, STANDARD_LIMIT);
	const wanted = exchange.query.get("email");
	const all = [...suppressionsOf(account, type === "spam" ? "spam_reports" : type).values()]
		.filter(({ email }) => email.endsWith(`@${domain}`) && (!wanted || email === wanted));
	const next = start + limit < all.length ? cursorAt(start + limit) : "";
	return appAnswer({ category: type, suppressions: all.slice(start, start + limit), next });
}

function suppress(account, exchange, { type, email }) {
	const created = account.clock.seconds();
	suppressionsOf(account, type).set(email, { created, email, reason: "added by API", status: "" });
	return appAnswer({});
}

function unsuppress(account, exchange, { type, email }) {
	suppressionsOf(account, type).delete(email);
	return appAnswer({});
}
