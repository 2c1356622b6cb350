// The items of Track API v2: which there are, what each must have, what it does.
import { oneIdentifier } from "../account/identifiers.mjs";
import { addDevice, findOrCreate, identify, merge, remove, removeDevice, suppress, unsuppress } from
	"../account/profiles.mjs";
import { recordAnonymous, recordEvent } from "../account/events.mjs";
import { findOrCreateObject, identifyObject, relate, removeObject, unrelate } from "../account/objects.mjs";
import { isObject } from "../server/exchange.mjs";
import { checkAttributes, checkEvent, checkId, checkIdentifier } from "./limits.mjs";

const MERGED_BY = ["id", "email", "cio_id"];
const required = (field) => ({ reason: "required", field, message: `${field} is required` });
const invalid = (field, message) => ({ reason: "invalid", field, message });

// type -> action -> {check: yields errors, apply}
const ACTIONS = {
	person: {
		identify: { check: checkIdentify, apply: applyIdentify },
		delete: { check: checkPerson, apply: applyTo(remove) },
		event: { check: checkPersonEvent, apply: applyEvent },
		page: { check: checkPersonEvent, apply: applyEvent },
		screen: { check: checkPersonEvent, apply: applyEvent },
		add_relationships: { check: checkPersonRelationships, apply: changePerson(relate) },
		delete_relationships: { check: checkPersonRelationships, apply: changePerson(unrelate) },
		add_device: { check: checkDevice, apply: applyAddDevice },
		delete_device: { check: checkDevice, apply: applyDeleteDevice },
		merge: { check: checkMerge, apply: applyMerge },
		suppress: { check: checkPerson, apply: applyTo(suppress) },
		unsuppress: { check: checkPerson, apply: applyTo(unsuppress) },
	},
	object: {
		identify: { check: checkIdentifyObject, apply: applyIdentifyObject },
		identify_anonymous: { check: checkIdentifyObject, apply: applyIdentifyObject },
		delete: { check: checkObject, apply: (account, { identifiers }) => removeObject(account, identifiers) },
		add_relationships: { check: checkObjectRelationships, apply: changeObject(relate) },
		delete_relationships: { check: checkObjectRelationships, apply: changeObject(unrelate) },
	},
	delivery: { event: { check: checkDelivery, apply: applyDelivery } },
};

export function* checkItem(item) {
	const actions = own(ACTIONS, item.type);
	if (!actions)
		return void (yield item.type === undefined ? required("type") : invalid("type", "is no type"));
	const action = own(actions, item.action);
	if (!action)
		return void (yield item.action === undefined ? required("action") : invalid("action", "is no action"));
	yield* action.check(item);
}

export function applyItem(account, item) {
	ACTIONS[item.type][item.action].apply(account, item);
}

function applyTo(act) {
	return (account, { identifiers }) => act(account, only(identifiers));
}

function own(table, name) {
	return typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}

function only(identifiers) {
	return oneIdentifier(identifiers);
}

function* checkPerson({ identifiers }, kinds) {
	if (identifiers === undefined)
		return void (yield required("identifiers"));
	const one = oneIdentifier(identifiers, kinds);
	if (!one)
		return void (yield invalid("identifiers", "must be exactly one of id, email, phone, cio_id"));
	const [[kind, value]] = Object.entries(one);
	yield* checkIdentifier(`identifiers.${kind}`, value);
}

function* checkIdentify(item) {
	yield* checkPerson(item);
	yield* checkRelationships(item.cio_relationships ?? []);
	const attributes = item.attributes ?? {};
	if (!isObject(attributes))
		return void (yield invalid("attributes", "must be an object"));
	yield* checkId(attributes);
	yield* checkAttributes(attributes, "attributes.");
}

function applyIdentify(account, { identifiers, attributes = {}, timestamp, cio_relationships: relationships = [] }) {
	const person = identify(account, only(identifiers), attributes, timestamp);
	for (const one of person ? relationships : [])
		relate(account, person.serial, one.identifiers, one.relationship_attributes);
}

function* checkPersonEvent(item) {
	if (!("anonymous_id" in (item.identifiers ?? {})))
		yield* checkPerson(item);
	yield* checkEvent(item.name, item.attributes, "attributes");
}

function applyEvent(account, { identifiers, action, name, id, timestamp, attributes }) {
	const event = { type: action, name: name.trim(), id, timestamp, data: attributes };
	if ("anonymous_id" in identifiers)
		recordAnonymous(account, identifiers.anonymous_id, event);
	else
		recordEvent(account, only(identifiers), event);
}

function* checkDevice(item) {
	yield* checkPerson(item);
	if (typeof item.device?.token !== "string" || item.device.token === "")
		yield required("device.token");
	if (item.action === "add_device" && !["ios", "android"].includes(item.device?.platform))
		yield invalid("device.platform", "must be ios or android");
}

function applyAddDevice(account, { identifiers, device: { token, ...device } }) {
	addDevice(account, only(identifiers), { id: token, ...device });
}

function applyDeleteDevice(account, { identifiers, device }) {
	removeDevice(account, only(identifiers), device.token);
}

function* checkMerge({ primary, secondary }) {
	for (const [field, identifiers] of Object.entries({ primary, secondary })) {
		if (identifiers === undefined)
			yield required(field);
		else if (!oneIdentifier(identifiers, MERGED_BY))
			yield invalid(field, "must be exactly one of id, email, cio_id");
	}
}

function applyMerge(account, { primary, secondary }) {
	merge(account, only(primary), only(secondary));
}

function* checkRelationships(relationships) {
	if (!Array.isArray(relationships))
		return void (yield invalid("cio_relationships", "must be a list"));
	if (!relationships.every((one) => isObject(one?.identifiers)))
		yield invalid("cio_relationships", "each needs identifiers");
}

function* checkPersonRelationships(item) {
	yield* checkPerson(item);
	yield* checkRelationships(item.cio_relationships);
}

function changePerson(change) {
	return (account, { identifiers, cio_relationships: relationships }) => {
		const person = findOrCreate(account, only(identifiers));
		for (const one of person ? relationships : [])
			change(account, person.serial, one.identifiers, one.relationship_attributes);
	};
}

function* checkObject({ identifiers }) {
	if (!isObject(identifiers))
		return void (yield required("identifiers"));
	if (identifiers.cio_object_id !== undefined)
		return;
	for (const field of ["object_type_id", "object_id"]) {
		if (identifiers[field] === undefined || identifiers[field] === "")
			yield required(`identifiers.${field}`);
		yield* checkIdentifier(`identifiers.${field}`, identifiers[field]);
	}
}

function* checkIdentifyObject(item) {
	yield* checkObject(item);
	yield* checkRelationships(item.cio_relationships ?? []);
	yield* checkAttributes(item.attributes ?? {}, "attributes.");
}

function* checkObjectRelationships(item) {
	yield* checkObject(item);
	yield* checkRelationships(item.cio_relationships);
}

function applyIdentifyObject(account, item) {
	const object = identifyObject(account, item.identifiers, item.attributes ?? {});
	for (const { identifiers } of object ? item.cio_relationships ?? [] : []) {
		if (identifiers.anonymous_id !== undefined)
			object.anonymous.add(identifiers.anonymous_id);
	}
	changeObject(relate)(account, item);
}

function changeObject(change) {
	return (account, { identifiers, cio_relationships: relationships = [] }) => {
		const object = findOrCreateObject(account, identifiers);
		for (const one of object ? relationships : []) {
			const whose = oneIdentifier(one.identifiers);
			const person = whose && findOrCreate(account, whose);
			if (person)
				change(account, person.serial, identifiers, one.relationship_attributes);
		}
	};
}

function* checkDelivery({ identifiers, name }) {
	if (typeof identifiers?.id !== "string")
		yield required("identifiers.id");
	if (typeof name !== "string" || name === "")
		yield required("name");
}

function applyDelivery(account, { identifiers, name }) {
	account.deliveries.get(identifiers.id)?.metrics.push(name);
}
