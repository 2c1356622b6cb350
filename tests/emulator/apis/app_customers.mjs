// App API: people, searched and looked at one by one.
import { attributeText, computedTopics, isUnsubscribed, PREFERENCES } from "../account/attributes.mjs";
import { compileFilter, FilterError } from "../account/filter.mjs";
import { cioId } from "../account/people.mjs";
import { appAnswer, appError } from "../server/answer.mjs";
import { bodyOf, cursorAt, forAccount, identifiersOf, pageOf, pageOfList, personIn } from "./app_access.mjs";

const SEARCH_LIMIT = 1000;
const SEARCH_STANDARD = 100;
const BULK_LIMIT = 100;
const CUSTOMER = "/v1/customers/:customer";

export function addAppCustomers(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	add("GET", "/v1/customers", getByEmail);
	add("POST", "/v1/customers", postSearch);
	add("POST", "/v1/customers/attributes", postAttributes);
	add("GET", `${CUSTOMER}/attributes`, getAttributes);
	add("GET", `${CUSTOMER}/subscription_preferences`, getPreferences);
	add("GET", `${CUSTOMER}/segments`, getSegments);
	add("GET", `${CUSTOMER}/relationships`, getRelationships);
	add("GET", `${CUSTOMER}/activities`, getActivities);
	add("GET", `${CUSTOMER}/messages`, getMessages);
}

// A compiled filter, or the App API's refusal of it.
export function filterOf(account, filter) {
	try {
		return compileFilter(filter, account.segments);
	} catch (error) {
		if (error instanceof FilterError)
			throw appError(400, error.message);
		throw error;
	}
}

function getByEmail(account, exchange) {
	const email = exchange.query.get("email");
	if (!email)
		throw appError(400, "email is required");
	const person = account.people.find({ email });
	return appAnswer({ results: person ? [identifiersOf(person)] : [] });
}

function postSearch(account, exchange) {
	const test = filterOf(account, bodyOf(exchange).filter);
	const { start, limit } = pageOf(exchange, SEARCH_LIMIT, SEARCH_STANDARD);
	const serials = account.people.search(test, start, limit + 1);
	const isMore = serials.length > limit;
	const identifiers = serials.slice(0, limit).map((serial) => searchResult(account.people, serial));
	const next = isMore ? cursorAt(serials[limit - 1]) : "";
	return appAnswer({ identifiers, ids: identifiers.map(({ id }) => id ?? ""), next });
}

function searchResult(people, serial) {
	const value = (name) => people.attribute(serial, name) ?? null;
	return { email: value("email"), id: value("id"), cio_id: cioId(serial) };
}

function postAttributes(account, exchange) {
	const { ids } = bodyOf(exchange);
	if (!Array.isArray(ids) || ids.length === 0 || ids.length > BULK_LIMIT)
		throw appError(400, `ids must have 1 to ${BULK_LIMIT} entries`);
	const kind = exchange.query.get("id_type") ?? "id";
	const people = ids.map((value) => account.people.find({ [kind]: String(value) })).filter(Boolean);
	return appAnswer({ customers: people.map((person) => ({ customer: describePerson(account, person) })) });
}

function getAttributes(account, exchange, { customer }) {
	return appAnswer({ customer: describePerson(account, personIn(account, exchange, customer)) });
}

function describePerson(account, person) {
	return {
		id: person.id ?? "", identifiers: identifiersOf(person), attributes: attributesOf(account, person),
		timestamps: { ...person.timestamps, [`_${PREFERENCES}_computed`]: 0 },
		unsubscribed: isUnsubscribed(person.attributes.unsubscribed),
		devices: person.devices,
	};
}

// All values are text, preferences too.
function attributesOf(account, person) {
	const named = Object.entries({ ...identifiersOf(person), phone: person.phone });
	const known = named.filter(([, value]) => value !== null);
	const stored = Object.entries(person.attributes).map(([name, value]) => [name, attributeText(value)]);
	const topics = computedTopics(account.settings.topics, person.attributes[PREFERENCES]);
	const computed = { topics: Object.fromEntries(topics.map((topic) => [topic.identifier, topic.subscribed])) };
	const all = Object.fromEntries([...known, ...stored]);
	return topics.length > 0 ? { ...all, [`_${PREFERENCES}_computed`]: JSON.stringify(computed) } : all;
}

function getPreferences(account, exchange, { customer }) {
	const person = personIn(account, exchange, customer);
	const topics = computedTopics(account.settings.topics, person.attributes[PREFERENCES])
		.map(({ id, name, description, subscribed }) => ({ id, name, description, subscribed }));
	const unsubscribed = isUnsubscribed(person.attributes.unsubscribed);
	const header = { title: "Manage your preferences", subtitle: "Choose what you want to hear about" };
	const { id, identifiers } = { id: person.id ?? "", identifiers: identifiersOf(person) };
	return appAnswer({ customer: { id, identifiers, unsubscribed, topics, header } });
}

function getSegments(account, exchange, { customer }) {
	const { serial } = personIn(account, exchange, customer);
	const mine = [...account.segments.values()].filter((segment) => segment.members.has(serial));
	return appAnswer({ segments: mine.map(({ id, name, description }) => ({ id, name, description })) });
}

function getRelationships(account, exchange, { customer }) {
	const { serial } = personIn(account, exchange, customer);
	const all = [...account.relationships.get(serial)?.values() ?? []].map(describeRelationship);
	const { items, next } = pageOfList(all, pageOf(exchange, 100));
	return appAnswer({ cio_relationships: items, next });
}

export function describeRelationship({ object, attributes }) {
	const { object_type_id, object_id, cio_object_id } = object;
	return { object_type_id, identifiers: { object_id, cio_object_id }, relationship_attributes: attributes };
}

function getActivities(account, exchange, { customer }) {
	const person = personIn(account, exchange, customer);
	return appAnswer(activities(account, exchange, (event) => serialOf(account, event) === person.serial));
}

export function activities(account, exchange, isWanted) {
	const [type, name] = [exchange.query.get("type"), exchange.query.get("name")];
	const wanted = account.events.items().filter((event) => isWanted(event) &&
		(!type || event.type === type) && (!name || event.name === name));
	const { items, next } = pageOfList(wanted.reverse(), pageOf(exchange, 100, 10));
	return { activities: items.map((event) => describeActivity(account, event)), next };
}

// Whose event it is: those of an anonymous id belong to who has it, those of a person who was merged to the primary.
export function serialOf(account, { person, anonymous_id: anonymousId }) {
	let serial = person ?? account.anonymous.get(anonymousId);
	while (account.mergedInto.has(serial))
		serial = account.mergedInto.get(serial);
	return serial;
}

function describeActivity(account, event) {
	const person = account.people.get(serialOf(account, event));
	return {
		id: event.id ?? "", type: event.type, name: event.name, timestamp: event.timestamp, data: event.data,
		customer_id: person?.id ?? "", customer_identifiers: person ? identifiersOf(person) : null,
	};
}

function getMessages(account, exchange, { customer }) {
	const { serial } = personIn(account, exchange, customer);
	const mine = [...account.deliveries.values()].filter((delivery) => delivery.serial === serial);
	const { items, next } = pageOfList(mine, pageOf(exchange, 1000, 50));
	return appAnswer({ messages: items.map((delivery) => describeDelivery(account, delivery)), next });
}

export function describeDelivery(account, { delivery_id: id, type, serial, recipient, subject, metrics, created }) {
	const person = account.people.get(serial);
	return {
		id, type, recipient, subject, created, customer_id: person?.id ?? "",
		customer_identifiers: person ? identifiersOf(person) : null,
		metrics: Object.fromEntries(metrics.map((metric) => [metric, created])),
	};
}
