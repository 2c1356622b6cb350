// What Customer.io does with people: identify, delete, suppress, merge, devices. All of it is accepted first and done
// here; what cannot be done becomes a problem of the account, not an error.
import { isDotted, isEmptyValue, PREFERENCES, updatedPreferences } from "./attributes.mjs";
import { identifierText } from "./identifiers.mjs";
import { removeRelationships } from "./objects.mjs";

const NOT_STORED = new Set(["id", "email", "phone", "cio_id", "cio_relationships", "_timestamp", "_update",
	PREFERENCES]);

export function isSuppressed(account, { id, email, phone }) {
	const { suppressed } = account;
	return suppressed.id.has(id) || suppressed.phone.has(phone) ||
		(typeof email === "string" && suppressed.email.has(email.toLowerCase()));
}

// The person after the update, or undefined when nothing was done. `at` is the time of the update in unix seconds.
export function identify(account, identifiers, attributes, at = attributes._timestamp) {
	const body = bodyIdentifiers(attributes);
	if (isSuppressed(account, identifiers) || isSuppressed(account, body))
		return undefined;
	const before = account.people.find(identifiers);
	if (!before && "cio_id" in identifiers)
		return void account.problem("unknown cio_id", identifiers.cio_id);
	const known = before ?? findAny(account, body);
	if (!known && isUpdateOnly(attributes))
		return void account.problem("Failed Attribute Change", `nobody has ${identifierText(identifiers)}`);
	const person = known ? { ...known } : account.people.create();
	assignIdentifiers(account, person, identifiers, body);
	return store(account, known, person, attributes, at ?? account.clock.seconds());
}

function isUpdateOnly(attributes) {
	return attributes._update === true || attributes._update === "true";
}

function bodyIdentifiers(attributes) {
	const found = {};
	for (const kind of ["id", "email", "phone"]) {
		if (!isEmptyValue(attributes[kind]))
			found[kind] = String(attributes[kind]);
	}
	return found;
}

function findAny(account, { id, email }) {
	return (id !== undefined && account.people.find({ id })) ||
		(email !== undefined && account.people.find({ email })) || undefined;
}

function assignIdentifiers(account, person, identifiers, body) {
	const mayChange = "cio_id" in identifiers;
	for (const [kind, value] of Object.entries({ ...body, ...identifiers })) {
		if (kind !== "cio_id")
			assignIdentifier(account, person, kind, value, mayChange);
	}
}

function assignIdentifier(account, person, kind, value, mayChange) {
	if (person[kind] === value || (kind === "email" && person.email?.toLowerCase() === value.toLowerCase()))
		return;
	const owner = account.people.find({ [kind]: value });
	const isFree = !owner || owner.serial === person.serial;
	const isOpen = person[kind] === null || mayChange || (kind === "email" && account.settings.email_by_id);
	if (isFree && isOpen)
		person[kind] = value;
	else
		account.problem("Attribute Update Failure", `${kind} is ${isFree ? "set already" : "somebody else's"}`);
}

function store(account, before, person, attributes, at) {
	const timestamps = { ...person.timestamps };
	const isNews = (name) => at >= (timestamps[name] ?? 0);
	const changed = { ...person.attributes };
	for (const [name, value] of Object.entries(attributes)) {
		if (NOT_STORED.has(name) || isDotted(name) || !isNews(name))
			continue;
		timestamps[name] = at;
		if (isEmptyValue(value))
			delete changed[name];
		else
			changed[name] = value;
	}
	storePreferences(changed, timestamps, attributes, isNews, at);
	if (changed.anonymous_id !== undefined && !account.anonymous.has(changed.anonymous_id))
		account.anonymous.set(changed.anonymous_id, person.serial);
	const after = account.people.replace({ ...person, attributes: changed, timestamps });
	account.webhooks.noteChange(before, after);
	return after;
}

function storePreferences(changed, timestamps, attributes, isNews, at) {
	const names = Object.keys(attributes).filter((name) => name === PREFERENCES || isDotted(name));
	const update = Object.fromEntries(names.filter(isNews).map((name) => [name, attributes[name]]));
	if (Object.keys(update).length === 0)
		return;
	for (const name of [...Object.keys(update), PREFERENCES])
		timestamps[name] = Math.max(at, timestamps[name] ?? 0);
	const preferences = updatedPreferences(changed[PREFERENCES], update);
	if (preferences)
		changed[PREFERENCES] = preferences;
	else
		delete changed[PREFERENCES];
}

// The person, made when there is none; undefined when suppressed or when a cio_id is unknown.
export function findOrCreate(account, identifiers) {
	return account.people.find(identifiers) ?? identify(account, identifiers, {});
}

export function remove(account, identifiers) {
	const person = account.people.find(identifiers);
	if (!person)
		return;
	removeRelationships(account, person.serial);
	for (const segment of account.segments.values())
		segment.members.delete(person.serial);
	account.people.remove(person);
}

// Deletes the profile and blocks what it went by.
export function suppress(account, identifiers) {
	const person = account.people.find(identifiers);
	for (const [kind, value] of Object.entries({ ...identifiers, ...knownIdentifiers(person) })) {
		if (kind !== "cio_id" && value)
			account.suppressed[kind].add(kind === "email" ? value.toLowerCase() : value);
	}
	remove(account, identifiers);
}

function knownIdentifiers(person) {
	return person ? { id: person.id, email: person.email, phone: person.phone } : {};
}

export function unsuppress(account, identifiers) {
	for (const [kind, value] of Object.entries(identifiers))
		account.suppressed[kind]?.delete(kind === "email" ? value.toLowerCase() : value);
}

// The primary keeps what it has and takes what it lacks; the secondary is gone. Without a primary nothing happens.
export function merge(account, primary, secondary) {
	const into = account.people.find(primary);
	const from = account.people.find(secondary);
	if (!into || !from || into.serial === from.serial)
		return void account.problem("no merge", [primary, secondary].map(identifierText).join(" <- "));
	for (const segment of account.segments.values()) {
		if (segment.members.has(from.serial))
			segment.members.add(into.serial);
	}
	remove(account, secondary);
	account.mergedInto.set(from.serial, into.serial);
	account.people.replace({
		...into, id: into.id ?? from.id, email: into.email ?? from.email, phone: into.phone ?? from.phone,
		attributes: { ...from.attributes, ...withoutEmpty(into.attributes) },
		timestamps: { ...from.timestamps, ...into.timestamps }, devices: [...into.devices, ...from.devices],
	});
}

function withoutEmpty(attributes) {
	return Object.fromEntries(Object.entries(attributes).filter(([, value]) => !isEmptyValue(value)));
}

export function addDevice(account, identifiers, device) {
	const person = findOrCreate(account, identifiers);
	if (!person)
		return;
	const others = person.devices.filter((known) => known.id !== device.id);
	account.people.replace({ ...person, devices: [...others, device] });
}

export function removeDevice(account, identifiers, deviceId) {
	const person = account.people.find(identifiers);
	if (person)
		account.people.replace({ ...person, devices: person.devices.filter((known) => known.id !== deviceId) });
}
