// The filter grammar of the App API: and, or, not, segment, attribute (eq, exists).
import { attributeText, isEmptyValue, isUnsubscribed } from "./attributes.mjs";
import { isObject } from "../server/exchange.mjs";

const MAX_DEPTH = 10;

export class FilterError extends Error {}

// A test (people, serial) -> boolean.
export function compileFilter(filter, segments, depth = 0) {
	const names = Object.keys(isObject(filter) ? filter : {});
	if (names.length !== 1 || depth > MAX_DEPTH)
		throw new FilterError("a filter has exactly one of and, or, not, segment, attribute");
	const compile = (inner) => compileFilter(inner, segments, depth + 1);
	const value = filter[names[0]];
	switch (names[0]) {
	case "and":
		return every(list(value).map(compile));
	case "or":
		return some(list(value).map(compile));
	case "not":
		return negated(compile(value));
	case "segment":
		return inSegment(value, segments);
	case "attribute":
		return byAttribute(value);
	default:
		throw new FilterError(`unknown filter ${names[0]}`);
	}
}

function list(value) {
	if (!Array.isArray(value) || value.length === 0)
		throw new FilterError("and, or take a list of filters");
	return value;
}

const every = (tests) => (people, serial) => tests.every((test) => test(people, serial));
const some = (tests) => (people, serial) => tests.some((test) => test(people, serial));
const negated = (test) => (people, serial) => !test(people, serial);

function inSegment(value, segments) {
	const segment = segments.get(Number(value?.id));
	if (!segment)
		throw new FilterError(`unknown segment ${value?.id}`);
	return (people, serial) => segment.members.has(serial);
}

function byAttribute(condition) {
	const { field, operator, value } = isObject(condition) ? condition : {};
	if (typeof field !== "string" || !["eq", "exists"].includes(operator))
		throw new FilterError("an attribute has a field, and eq or exists as operator");
	if (operator === "exists")
		return (people, serial) => !isEmptyValue(people.attribute(serial, field));
	if (isEmptyValue(value) || typeof value === "object")
		throw new FilterError("eq needs a value");
	if (field === "unsubscribed" && isUnsubscribed(value))
		return (people, serial) => isUnsubscribed(people.attribute(serial, field));
	const wanted = field === "email" ? String(value).toLowerCase() : String(value);
	return (people, serial) => {
		const is = people.attribute(serial, field);
		return !isEmptyValue(is) && (field === "email" ? is.toLowerCase() : attributeText(is)) === wanted;
	};
}
