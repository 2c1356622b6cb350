// Events of people and of those who are not known yet.
import { findOrCreate, isSuppressed } from "./profiles.mjs";
import { isUlid } from "./ulid.mjs";

const TYPES = new Set(["event", "page", "screen"]);

// `event`: {type, name, id, timestamp, data}. A second event of one id is dropped.
export function recordEvent(account, identifiers, event) {
	if (isSuppressed(account, identifiers) || isDouble(account, event))
		return;
	const person = findOrCreate(account, identifiers);
	if (person)
		keep(account, { person: person.serial, anonymous_id: null }, event);
}

export function recordAnonymous(account, anonymousId, event) {
	if (!isDouble(account, event))
		keep(account, { person: null, anonymous_id: anonymousId ?? null }, event);
}

function isDouble(account, { id }) {
	if (id === undefined)
		return false;
	if (!isUlid(id) && !id.startsWith?.("message:"))
		account.problem("event id is no ULID", id);
	return !account.seen.add(id);
}

function keep(account, whose, { type, name, id, timestamp, data = {} }) {
	const event = {
		...whose, type: TYPES.has(type) ? type : "event", name, id: id ?? null,
		timestamp: Math.floor(timestamp ?? account.clock.seconds()), data,
	};
	account.events.add(event, JSON.stringify(data).length + 200);
}
