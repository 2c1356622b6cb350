// The documented limits. Each check yields {reason, field, message} for what is beyond; Track v1 shows the message.
import { attributeText, isDotted, PREFERENCES } from "../account/attributes.mjs";
import { isObject } from "../server/exchange.mjs";

export const ITEM_BYTES = 32 * 1024;
export const BATCH_BYTES = 500 * 1024;
export const SEGMENT_IDS = 1000;
const IDENTIFIER_BYTES = 150;
const NAME_BYTES = 150;
const VALUE_BYTES = 1000;
const ATTRIBUTES = 300;
const EVENT_NAME_BYTES = 100;
const EVENT_DATA_BYTES = 100_000;
const ANY_SIZE = new Set([PREFERENCES, "cio_relationships"]);

const invalid = (field, message) => ({ reason: "invalid", field, message });
const required = (field, message) => ({ reason: "required", field, message });

export function* checkIdentifier(field, value) {
	if (typeof value === "string" && isLonger(value, IDENTIFIER_BYTES))
		yield invalid(field, `${field} cannot be longer than ${IDENTIFIER_BYTES} bytes`);
}

export function* checkAttributes(attributes, prefix = "") {
	const entries = Object.entries(attributes);
	if (entries.length > ATTRIBUTES)
		yield invalid("attributes", `cannot identify more than ${ATTRIBUTES} attributes in one request`);
	for (const [name, value] of entries) {
		if (isLonger(name, NAME_BYTES))
			yield invalid(prefix + name, `attribute name cannot be longer than ${NAME_BYTES} bytes`);
		const mayBeLong = ANY_SIZE.has(name) || isDotted(name);
		if (!mayBeLong && isLonger(attributeText(value), VALUE_BYTES))
			yield invalid(prefix + name,
				`value for attribute '${name}' cannot be longer than ${VALUE_BYTES} bytes`);
	}
}

// The id among the attributes of a person.
export function* checkId(attributes) {
	if (!("id" in attributes))
		return;
	if (typeof attributes.id !== "string")
		yield invalid("id", "id attribute must be a string value");
	else if (attributes.id === "")
		yield invalid("id", "id attribute cannot be an empty string");
	yield* checkIdentifier("id", attributes.id);
}

// `size` is that of the whole request: data of a small one need not be measured.
export function* checkEvent(name, data, dataField, size = 0) {
	if (typeof name !== "string" || name.trim() === "")
		yield required("name", "name cannot be blank");
	else if (isLonger(name, EVENT_NAME_BYTES))
		yield invalid("name", `event name cannot be longer than ${EVENT_NAME_BYTES} bytes`);
	if (data !== undefined && data !== null && !isObject(data))
		yield invalid(dataField, "event data must be a hash");
	else if (size > EVENT_DATA_BYTES && isLonger(JSON.stringify(data ?? {}), EVENT_DATA_BYTES))
		yield invalid(dataField, `event data cannot be longer than ${EVENT_DATA_BYTES} bytes`);
}

// No character has more than three bytes per unit of a string's length.
function isLonger(text, bytes) {
	return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}
