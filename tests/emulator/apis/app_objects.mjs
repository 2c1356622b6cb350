// App API: objects and what people did.
import { findObject } from "../account/objects.mjs";
import { appAnswer, appError } from "../server/answer.mjs";
import { activities, serialOf } from "./app_customers.mjs";
import { bodyOf, forAccount, identifiersOf, pageOf, pageOfList, personIn } from "./app_access.mjs";

const OBJECT = "/v1/objects/:type/:object";

export function addAppObjects(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	add("GET", "/v1/object_types", getTypes);
	add("POST", "/v1/objects", postSearch);
	add("GET", `${OBJECT}/attributes`, getAttributes);
	add("GET", `${OBJECT}/relationships`, getRelationships);
	add("GET", "/v1/activities", getActivities);
}

function getTypes(account) {
	const ids = [...new Set([...account.objects.values()].map((object) => object.object_type_id))];
	return appAnswer({ types: ids.map((id) => ({ id, name: `Type ${id}`, enabled: true })) });
}

function objectIn(account, exchange, { type, object: id }) {
	const isOwn = exchange.query.get("id_type") === "cio_object_id";
	const object = findObject(account, isOwn ? { cio_object_id: id } : { object_type_id: type, object_id: id });
	if (!object)
		throw appError(404, "object not found");
	return object;
}

const identifiersOfObject = ({ object_type_id, object_id, cio_object_id }) =>
	({ object_type_id, object_id, cio_object_id });

function getAttributes(account, exchange, values) {
	const object = objectIn(account, exchange, values);
	return appAnswer({ object: { identifiers: identifiersOfObject(object), attributes: object.attributes } });
}

function getRelationships(account, exchange, values) {
	const object = objectIn(account, exchange, values);
	const { items, next } = pageOfList([...object.people], pageOf(exchange, 100));
	const related = items.map((serial) => ({ identifiers: identifiersOf(account.people.get(serial)) }));
	return appAnswer({ cio_relationships: related, next });
}

// Of the filter only the type counts here; what objects are searched by is not documented well enough to copy.
function postSearch(account, exchange) {
	const { object_type_id: type, filter } = bodyOf(exchange);
	if (type === undefined || filter === undefined)
		throw appError(400, "object_type_id and filter are required");
	const found = [...account.objects.values()].filter((object) => object.object_type_id === String(type));
	const { items, next } = pageOfList(found, pageOf(exchange, 1000, 100));
	return appAnswer({ identifiers: items.map(identifiersOfObject), ids: items.map((one) => one.object_id), next });
}

function getActivities(account, exchange) {
	const customer = exchange.query.get("customer_id");
	const person = customer ? personIn(account, exchange, customer) : undefined;
	const isWanted = (event) => !person || serialOf(account, event) === person.serial;
	return appAnswer(activities(account, exchange, isWanted));
}
