// What the items of Track API v2 share: the shape of their errors, and checks of who is meant.
import { oneIdentifier } from "../account/identifiers.mjs";
import { isObject } from "../server/exchange.mjs";
import { checkIdentifier } from "./limits.mjs";

export const required = (field) => ({ reason: "required", field, message: `${field} is required` });
export const invalid = (field, message) => ({ reason: "invalid", field, message });

export function* checkPerson({ identifiers }) {
	if (identifiers === undefined)
		return void (yield required("identifiers"));
	const one = oneIdentifier(identifiers);
	if (!one)
		return void (yield invalid("identifiers", "must be exactly one of id, email, phone, cio_id"));
	const [[kind, value]] = Object.entries(one);
	yield* checkIdentifier(`identifiers.${kind}`, value);
}

export function* checkRelationships(relationships) {
	if (!Array.isArray(relationships))
		return void (yield invalid("cio_relationships", "must be a list"));
	if (!relationships.every((one) => isObject(one?.identifiers)))
		yield invalid("cio_relationships", "each needs identifiers");
}
