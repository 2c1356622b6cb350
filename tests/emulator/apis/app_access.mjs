// What all of the App API shares: the account by its key, the rate, bodies, people by id and type of id, paging.
import { appError, metaError } from "../server/answer.mjs";
import { bearerToken, checkRegion } from "./authentication.mjs";
import { personIdentifiers } from "../account/webhooks.mjs";

const ID_TYPES = ["id", "email", "phone", "cio_id"];

const unauthorized = () => appError(401, "unauthorized", { code: "invalid_credentials" });

// Wraps a handler (account, exchange, values); `rate` is the name of one of the account's limiters.
export function forAccount(world, handler, rate = "app") {
	return (exchange, values) => {
		const account = world.accounts.byAppKey(bearerToken(exchange.headers.authorization));
		if (!account)
			throw unauthorized();
		exchange.account = account;
		checkRegion(account, exchange, world.urls, unauthorized);
		if (!account.limiters[rate].take())
			throw tooMany(account.limiters[rate]);
		return handler(account, exchange, values);
	};
}

function tooMany({ limit, windowMs }) {
	const after = Math.max(1, Math.ceil(windowMs / 1000));
	const headers = { "retry-after": String(after) };
	return appError(429, `rate limited to ${limit} requests per ${windowMs / 1000}s`, { headers });
}

export function bodyOf(exchange) {
	const body = exchange.json();
	if (!body)
		throw appError(400, "malformed JSON");
	return body;
}

export function metaBodyOf(exchange) {
	const body = exchange.json();
	if (!body)
		throw metaError(400, "malformed JSON");
	return body;
}

// The person that a path names, by ?id_type=; 404 for nobody.
export function personIn(account, exchange, identifier) {
	const kind = exchange.query.get("id_type") ?? "id";
	if (!ID_TYPES.includes(kind))
		throw appError(400, `id_type ${kind} is not known`);
	const person = account.people.find({ [kind]: identifier });
	if (!person)
		throw appError(404, "customer not found");
	return person;
}

export function identifiersOf(person) {
	return personIdentifiers(person);
}

// {start, limit} of a page; a cursor is opaque to clients.
export function pageOf(exchange, maxLimit, standard = maxLimit) {
	const limit = Number(exchange.query.get("limit") ?? standard);
	if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
		throw appError(400, `limit must be 1 to ${maxLimit}`);
	return { start: positionOf(exchange.query.get("start")), limit };
}

export function cursorAt(position) {
	return Buffer.from(`0:${position}`).toString("base64");
}

function positionOf(cursor) {
	if (!cursor)
		return 0;
	const [, position] = /^0:([0-9]{1,9})$/.exec(Buffer.from(cursor, "base64").toString("latin1")) ?? [];
	if (position === undefined)
		throw appError(400, "start is not valid");
	return Number(position);
}

// A page of a list that is small enough to be at hand whole.
export function pageOfList(list, { start, limit }) {
	const end = start + limit;
	return { items: list.slice(start, end), next: end < list.length ? cursorAt(end) : "" };
}
