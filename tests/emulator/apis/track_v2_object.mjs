// Track API v2: the items about objects and deliveries.
import { oneIdentifier } from "../account/identifiers.mjs";
import { findOrCreate } from "../account/profiles.mjs";
import { findOrCreateObject, identifyObject, relate, removeObject, unrelate } from "../account/objects.mjs";
import { isObject } from "../server/exchange.mjs";
import { checkAttributes, checkIdentifier } from "./limits.mjs";
import { checkRelationships, required } from "./track_v2_checks.mjs";

export const OBJECT_ACTIONS = {
	identify: { check: checkIdentifyObject, apply: applyIdentifyObject },
	identify_anonymous: { check: checkIdentifyObject, apply: applyIdentifyObject },
	delete: { check: checkObject, apply: (account, { identifiers }) => removeObject(account, identifiers) },
	add_relationships: { check: checkObjectRelationships, apply: changeObject(relate) },
	delete_relationships: { check: checkObjectRelationships, apply: changeObject(unrelate) },
};

export const DELIVERY_ACTIONS = { event: { check: checkDelivery, apply: applyDelivery } };

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
