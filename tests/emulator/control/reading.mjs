// Control API: what was received, and how everything stands now.
import { cioId } from "../account/people.mjs";
import { personIdentifiers } from "../account/webhooks.mjs";
import { describeRelationship, serialOf } from "../apis/app_customers.mjs";
import { jsonAnswer } from "../server/answer.mjs";
import { describeRequest } from "../server/recorder.mjs";
import { accountOf, done, refuse } from "./control.mjs";

const ACCOUNT = "/_control/accounts/:account";
const SECOND_MS = 1000;
const STANDARD_LIMIT = 1000;

export function addReading(add) {
	add("GET", "/_control/received", getReceived);
	add("DELETE", "/_control/received", (world) => done(world.recorder.clear()));
	add("GET", "/_control/rates", getRates);
	add("GET", `${ACCOUNT}/people`, getPeople);
	add("GET", `${ACCOUNT}/events`, getEvents);
	add("GET", `${ACCOUNT}/objects`, getObjects);
	add("GET", `${ACCOUNT}/suppressed`, getSuppressed);
	add("GET", `${ACCOUNT}/problems`, getLog("problems"));
	add("GET", `${ACCOUNT}/sent`, getLog("sent"));
	add("GET", `${ACCOUNT}/deliveries`, getDeliveries);
}

function number(exchange, name, standard) {
	return Number(exchange.query.get(name) ?? standard);
}

function getLog(name) {
	return (world, exchange, values) => {
		const log = accountOf(world, values)[name];
		const items = log.items(number(exchange, "from", 0), number(exchange, "limit", STANDARD_LIMIT));
		return jsonAnswer(200, { total: log.total, dropped: log.dropped, items });
	};
}

// Requests from ?from= on, filtered by ?api= &region= &method= &path= (its beginning) &account=.
function getReceived(world, exchange) {
	const { requests } = world.recorder;
	const first = Math.max(number(exchange, "from", 0), requests.dropped);
	const filters = ["api", "region", "method", "account"].filter((name) => exchange.query.has(name));
	const isWanted = (one) => filters.every((name) => one[name] === exchange.query.get(name)) &&
		one.path.startsWith(exchange.query.get("path") ?? "");
	const found = requests.items(first).map((entry, i) => describeRequest(entry, first + i)).filter(isWanted);
	const limit = number(exchange, "limit", STANDARD_LIMIT);
	return jsonAnswer(200, { total: requests.total, dropped: requests.dropped, count: found.length,
		items: found.slice(0, limit) });
}

// How many requests an API got: in all, in each second, and at most in any window of ?window_ms=.
function getRates(world, exchange) {
	const windowMs = number(exchange, "window_ms", SECOND_MS);
	const accepted = exchange.query.get("accepted") === "1";
	return jsonAnswer(200, world.recorder.rates(exchange.query.get("api") ?? "app", windowMs, accepted));
}

function getPeople(world, exchange, values) {
	const account = accountOf(world, values);
	const kind = ["id", "email", "cio_id", "phone"].find((name) => exchange.query.has(name));
	if (kind) {
		const person = account.people.find({ [kind]: exchange.query.get(kind) });
		const items = person ? [describePerson(account, person)] : [];
		return jsonAnswer(200, { count: items.length, items });
	}
	const [start, limit] = [number(exchange, "start", 0), number(exchange, "limit", STANDARD_LIMIT)];
	const serials = account.people.search(() => true, start, limit);
	const items = serials.map((serial) => describePerson(account, account.people.get(serial)));
	return jsonAnswer(200, { count: account.people.count(), items, next: serials.at(-1) ?? null });
}

function describePerson(account, { serial, id, email, phone, attributes, timestamps, devices }) {
	const relationships = [...account.relationships.get(serial)?.values() ?? []].map(describeRelationship);
	const segments = [...account.segments.values()].filter((one) => one.members.has(serial)).map((one) => one.id);
	return { id, email, phone, cio_id: cioId(serial), attributes, timestamps, devices, relationships, segments };
}

// Of one person with ?id= or ?email=, of one anonymous id with ?anonymous_id=, of one ?name=.
function getEvents(world, exchange, values) {
	const account = accountOf(world, values);
	const { id, email, anonymous_id: anonymousId, name } = Object.fromEntries(exchange.query);
	const person = id || email ? account.people.find(id ? { id } : { email }) : undefined;
	if ((id || email) && !person)
		throw refuse(404, "there is no such person");
	const { events } = account;
	const found = events.items().filter((event) => (!person || serialOf(account, event) === person.serial) &&
		(!anonymousId || event.anonymous_id === anonymousId) && (!name || event.name === name));
	const shown = found.slice(0, number(exchange, "limit", STANDARD_LIMIT));
	const items = shown.map((event) => describeEvent(account, event));
	return jsonAnswer(200, { total: events.total, dropped: events.dropped, count: found.length, items });
}

function describeEvent(account, event) {
	const person = account.people.get(serialOf(account, event));
	return { ...event, person: person ? personIdentifiers(person) : null };
}

function getObjects(world, exchange, values) {
	const items = [...accountOf(world, values).objects.values()].map(({ people, anonymous, ...object }) =>
		({ ...object, people: [...people].map(cioId), anonymous: [...anonymous] }));
	return jsonAnswer(200, { count: items.length, items });
}

function getSuppressed(world, exchange, values) {
	const { id, email, phone } = accountOf(world, values).suppressed;
	return jsonAnswer(200, { id: [...id], email: [...email], phone: [...phone] });
}

function getDeliveries(world, exchange, values) {
	const items = [...accountOf(world, values).deliveries.values()];
	return jsonAnswer(200, { count: items.length, items });
}
