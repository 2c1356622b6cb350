// Track API v1: people and their events. Everything is accepted with the same answer.
import { guessIdentifier, oneIdentifier } from "../account/identifiers.mjs";
import { addDevice, identify, merge, remove, removeDevice, suppress, unsuppress } from
	"../account/profiles.mjs";
import { recordAnonymous, recordEvent } from "../account/events.mjs";
import { relate, unrelate } from "../account/objects.mjs";
import { isObject } from "../server/exchange.mjs";
import { metaError, metaErrors, trackAnswer } from "../server/answer.mjs";
import { bodyOf, forAccount } from "./track_access.mjs";
import { checkAttributes, checkEvent, checkId, checkIdentifier } from "./limits.mjs";

const PERSON = "/api/v1/customers/:identifier";

export function addTrackV1(router, world) {
	const add = (method, path, handler, anyRegion) =>
		router.add(method, path, forAccount(world, handler, anyRegion));
	add("PUT", PERSON, putPerson);
	add("DELETE", PERSON, (account, exchange, values) => remove(account, named(account, values)));
	add("POST", `${PERSON}/events`, postEvent);
	add("POST", "/api/v1/events", postAnonymousEvent);
	add("PUT", `${PERSON}/devices`, putDevice);
	add("DELETE", `${PERSON}/devices/:device`, deleteDevice);
	add("POST", `${PERSON}/suppress`, (account, exchange, values) => suppress(account, named(account, values)));
	add("POST", `${PERSON}/unsuppress`, (account, exchange, values) => unsuppress(account, named(account, values)));
	add("POST", "/api/v1/merge_customers", postMerge);
	add("GET", "/api/v1/accounts/region", (account) => getRegion(account), true);
}

function refuseFirst(account, checks, documented) {
	const { value } = checks.next();
	if (value)
		throw refusal(account, value.message, documented);
}

// One error or a list of them: two shapes are documented, each for some calls; a test may choose one for all.
export function refusal(account, text, documented) {
	const style = account.settings.error_style === "documented" ? documented : account.settings.error_style;
	return style === "error" ? metaError(400, text) : metaErrors(400, [text]);
}

function named(account, { identifier }) {
	if (identifier === "")
		throw refusal(account, "id attribute must be present", "error");
	refuseFirst(account, checkIdentifier("id", identifier), "error");
	return guessIdentifier(identifier);
}

function putPerson(account, exchange, values) {
	const identifiers = named(account, values);
	const attributes = bodyOf(exchange);
	refuseFirst(account, checkId(attributes), "error");
	refuseFirst(account, checkAttributes(attributes), "error");
	const person = identify(account, identifiers, attributes);
	if (person && isObject(attributes.cio_relationships))
		changeRelationships(account, person, attributes.cio_relationships);
}

function changeRelationships(account, person, { action, relationships }) {
	for (const { identifiers, relationship_attributes: attributes } of relationships ?? []) {
		if (action === "delete_relationships")
			unrelate(account, person.serial, identifiers);
		else
			relate(account, person.serial, identifiers, attributes);
	}
}

function eventIn(account, exchange) {
	const event = bodyOf(exchange);
	refuseFirst(account, checkEvent(event.name, event.data, "data", exchange.size), "errors");
	return { ...event, name: event.name.trim() };
}

function postEvent(account, exchange, values) {
	recordEvent(account, named(account, values), eventIn(account, exchange));
}

function postAnonymousEvent(account, exchange) {
	const event = eventIn(account, exchange);
	recordAnonymous(account, event.anonymous_id || undefined, event);
}

function putDevice(account, exchange, values) {
	const identifiers = named(account, values);
	const { device } = bodyOf(exchange);
	for (const name of ["id", "platform"]) {
		if (!isObject(device) || typeof device[name] !== "string" || device[name] === "")
			throw refusal(account, `device ${name} cannot be blank`, "errors");
	}
	addDevice(account, identifiers, device);
}

function deleteDevice(account, exchange, values) {
	removeDevice(account, named(account, values), values.device);
}

function postMerge(account, exchange) {
	const { primary, secondary } = bodyOf(exchange);
	const [into, from] = [primary, secondary].map((one) => oneIdentifier(one, ["id", "email", "cio_id"]));
	if (!into || !from)
		throw refusal(account, "primary and secondary each need exactly one of id, email, cio_id", "error");
	merge(account, into, from);
}

function getRegion(account) {
	const url = account.region === "eu" ? "https://track-eu.customer.io" : "https://track.customer.io";
	return trackAnswer(200, { url, region: account.region, environment_id: account.settings.environment_id });
}
