// Track API v2: the items about people; PERSON_ACTIONS has for each action how it is checked and what it does.
import { oneIdentifier } from "../account/identifiers.mjs";
import { addDevice, findOrCreate, identify, merge, remove, removeDevice, suppress, unsuppress } from
	"../account/profiles.mjs";
import { recordAnonymous, recordEvent } from "../account/events.mjs";
import { relate, unrelate } from "../account/objects.mjs";
import { isObject } from "../server/exchange.mjs";
import { checkAttributes, checkEvent, checkId } from "./limits.mjs";
import { checkPerson, checkRelationships, invalid, required } from "./track_v2_checks.mjs";

const MERGED_BY = ["id", "email", "cio_id"];

export const PERSON_ACTIONS = {
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
};

function applyTo(act) {
	return (account, { identifiers }) => act(account, oneIdentifier(identifiers));
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
	const person = identify(account, oneIdentifier(identifiers), attributes, timestamp);
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
		recordEvent(account, oneIdentifier(identifiers), event);
}

function* checkDevice(item) {
	yield* checkPerson(item);
	if (typeof item.device?.token !== "string" || item.device.token === "")
		yield required("device.token");
	if (item.action === "add_device" && !["ios", "android"].includes(item.device?.platform))
		yield invalid("device.platform", "must be ios or android");
}

function applyAddDevice(account, { identifiers, device: { token, ...device } }) {
	addDevice(account, oneIdentifier(identifiers), { id: token, ...device });
}

function applyDeleteDevice(account, { identifiers, device }) {
	removeDevice(account, oneIdentifier(identifiers), device.token);
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
	merge(account, oneIdentifier(primary), oneIdentifier(secondary));
}

function* checkPersonRelationships(item) {
	yield* checkPerson(item);
	yield* checkRelationships(item.cio_relationships);
}

function changePerson(change) {
	return (account, { identifiers, cio_relationships: relationships }) => {
		const person = findOrCreate(account, oneIdentifier(identifiers));
		for (const one of person ? relationships : [])
			change(account, person.serial, one.identifiers, one.relationship_attributes);
	};
}
