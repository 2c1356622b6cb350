// What attributes mean: how they are stored as text, who counts as unsubscribed, how preferences are put together.
import { isObject } from "../server/exchange.mjs";

export const PREFERENCES = "cio_subscription_preferences";
const DOTTED = /^cio_subscription_preferences\.(topics|channels)\.(\w+)$/;

// Any case of true, 1 or "1"; whatever else, and nothing, is subscribed.
export function isUnsubscribed(value) {
	return value === true || value === 1 || value === "1" || (typeof value === "string" && /^true$/i.test(value));
}

// Every value is kept as text on the reading side, objects as JSON in a string.
export function attributeText(value) {
	return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

export function isDotted(name) {
	return DOTTED.test(name);
}

export function isEmptyValue(value) {
	return value === null || value === undefined || value === "";
}

// The preferences after an update. An object replaces what is stored; a dotted name changes one member of it.
export function updatedPreferences(stored, update) {
	let preferences = stored;
	if (PREFERENCES in update)
		preferences = readPreferences(update[PREFERENCES]);
	for (const [name, value] of Object.entries(update)) {
		const [, kind, member] = DOTTED.exec(name) ?? [];
		if (kind)
			preferences = withMember(preferences, kind, member, value);
	}
	return preferences;
}

function readPreferences(value) {
	if (typeof value !== "string")
		return isObject(value) ? value : undefined;
	try {
		return readPreferences(JSON.parse(value));
	} catch {
		return undefined;
	}
}

function withMember(preferences, kind, member, value) {
	const members = { ...preferences?.[kind] };
	if (isEmptyValue(value))
		delete members[member];
	else
		members[member] = typeof value === "string" ? /^(true|1)$/i.test(value) : Boolean(value);
	return { ...preferences, [kind]: members };
}

// What differs between two preferences, in their own shape; undefined when nothing does.
export function changedPreferences(before, after) {
	const changed = {};
	for (const kind of ["topics", "channels"]) {
		for (const [member, value] of Object.entries(after?.[kind] ?? {})) {
			if (before?.[kind]?.[member] !== value)
				(changed[kind] ??= {})[member] = value;
		}
	}
	return Object.keys(changed).length > 0 ? changed : undefined;
}

// Each topic with the person's own choice, or the topic's default.
export function computedTopics(topics, preferences) {
	return topics.map((topic) => {
		const choice = preferences?.topics?.[topic.identifier];
		return { ...topic, subscribed: typeof choice === "boolean" ? choice : topic.subscribed_by_default };
	});
}
