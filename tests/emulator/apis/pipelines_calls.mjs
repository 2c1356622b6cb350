// The calls of the Pipelines API and what they come to in the workspace.
import { addDevice, findOrCreate, identify, merge, remove, removeDevice, suppress, unsuppress } from
	"../account/profiles.mjs";
import { guessIdentifier } from "../account/identifiers.mjs";
import { recordAnonymous, recordEvent } from "../account/events.mjs";
import { identifyObject, relate, removeObject, unrelate } from "../account/objects.mjs";
import { isObject } from "../server/exchange.mjs";

const CALLS = { identify: applyIdentify, track: applyTrack, page: applyView, screen: applyView, group: applyGroup,
	alias: applyAlias };
export const TYPES = Object.keys(CALLS);

const isGiven = (value) => (typeof value === "string" && value !== "") || typeof value === "number";

// What is wrong with a call, or undefined.
export function checkCall(type, call) {
	const hasWho = isGiven(call.userId) || isGiven(call.anonymousId) ||
		(type === "identify" && isGiven(call.traits?.email));
	if (!hasWho)
		return "userId or anonymousId is required";
	if (type === "track" && !isGiven(call.event))
		return "event is required";
	if (type === "group" && !isGiven(call.groupId))
		return "groupId is required";
	if (type === "alias" && (!isGiven(call.userId) || !isGiven(call.previousId)))
		return "userId and previousId are required";
	const objects = ["traits", "properties", "context"].filter((name) => ![undefined, null].includes(call[name]));
	const wrong = objects.find((name) => !isObject(call[name]));
	if (wrong)
		return `${wrong} must be an object`;
	const isTimely = call.timestamp === undefined || !Number.isNaN(Date.parse(call.timestamp));
	return isTimely ? undefined : "timestamp is no time";
}

// A message id that came before is dropped.
export function applyCall(account, type, call) {
	if (isGiven(call.messageId) && !account.seen.add(`message:${call.messageId}`))
		return;
	CALLS[type](account, call, type);
}

function who({ userId, traits }) {
	if (isGiven(userId))
		return guessIdentifier(String(userId));
	return isGiven(traits?.email) ? { email: String(traits.email) } : undefined;
}

function secondsOf({ timestamp, originalTimestamp }) {
	const time = Date.parse(timestamp ?? originalTimestamp);
	return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

function applyIdentify(account, call) {
	const identifiers = who(call);
	if (!identifiers)
		return;
	const { createdAt, ...traits } = call.traits ?? {};
	if (createdAt !== undefined)
		traits.created_at = createdAt;
	if (isGiven(call.anonymousId))
		traits.anonymous_id = call.anonymousId;
	identify(account, identifiers, traits, secondsOf(call));
}

function applyTrack(account, call) {
	const semantic = SEMANTIC_EVENTS[call.event];
	const identifiers = who(call);
	if (semantic && identifiers)
		semantic(account, identifiers, call);
	else
		recordCall(account, call, "event", call.event);
}

function applyView(account, call, type) {
	recordCall(account, call, type, call.name ?? call.properties?.url ?? "");
}

function recordCall(account, call, type, name) {
	const event = { type, name, timestamp: secondsOf(call), data: call.properties ?? {} };
	const identifiers = who(call);
	if (identifiers)
		recordEvent(account, identifiers, event);
	else
		recordAnonymous(account, call.anonymousId, event);
}

function objectOf({ groupId, objectTypeId, traits, properties }) {
	const type = traits?.object_type_id ?? properties?.objectTypeId ?? objectTypeId ?? "1";
	return { object_type_id: String(type), object_id: String(groupId ?? properties?.objectId) };
}

function applyGroup(account, call) {
	const { relationshipAttributes, object_type_id: _type, ...attributes } = call.traits ?? {};
	identifyObject(account, objectOf(call), attributes);
	const identifiers = who(call);
	const person = identifiers && findOrCreate(account, identifiers);
	if (person)
		relate(account, person.serial, objectOf(call), relationshipAttributes);
}

function applyAlias(account, { userId, previousId }) {
	merge(account, guessIdentifier(String(userId)), guessIdentifier(String(previousId)));
}

const SEMANTIC_EVENTS = {
	"Device Created or Updated": (account, identifiers, { context, properties: attributes = {} }) => {
		const { token: id, type: platform } = context?.device ?? {};
		addDevice(account, identifiers, { id, platform, attributes });
	},
	"Device Deleted": (account, identifiers, { context }) => {
		removeDevice(account, identifiers, context?.device?.token);
	},
	"User Deleted": (account, identifiers) => remove(account, identifiers),
	"User Suppressed": (account, identifiers) => suppress(account, identifiers),
	"User Unsuppressed": (account, identifiers) => unsuppress(account, identifiers),
	"Relationship Deleted": (account, identifiers, call) => {
		const person = account.people.find(identifiers);
		if (person)
			unrelate(account, person.serial, objectOf(call));
	},
	"Object Deleted": (account, identifiers, call) => removeObject(account, objectOf(call)),
	"Report Delivery Event": (account, identifiers, { properties }) =>
		account.deliveries.get(properties?.deliveryId)?.metrics.push(properties.metric),
};
