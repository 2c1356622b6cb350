// Objects, such as companies, and the relationships between them and people.

export function findObject(account, { object_type_id: type, object_id: id, cio_object_id: cio }) {
	if (cio === undefined)
		return account.objects.get(`${type}:${id}`);
	return [...account.objects.values()].find((object) => object.cio_object_id === cio);
}

export function findOrCreateObject(account, identifiers) {
	const known = findObject(account, identifiers);
	if (known || identifiers.cio_object_id !== undefined)
		return known;
	const { object_type_id: type, object_id: id } = identifiers;
	const object = {
		object_type_id: String(type), object_id: String(id), attributes: {},
		people: new Set(), anonymous: new Set(),
		cio_object_id: `ob${(account.objects.size + 1).toString(16).padStart(8, "0")}`,
	};
	account.objects.set(`${type}:${id}`, object);
	return object;
}

export function identifyObject(account, identifiers, attributes) {
	const object = findOrCreateObject(account, identifiers);
	if (!object)
		return void account.problem("unknown cio_object_id", identifiers.cio_object_id);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === "")
			delete object.attributes[name];
		else
			object.attributes[name] = value;
	}
	return object;
}

export function removeObject(account, identifiers) {
	const object = findObject(account, identifiers);
	if (!object)
		return;
	for (const serial of object.people)
		account.relationships.get(serial)?.delete(keyOf(object));
	account.objects.delete(keyOf(object));
}

export function relate(account, serial, identifiers, attributes = {}) {
	const object = findOrCreateObject(account, identifiers);
	if (!object)
		return;
	if (!account.relationships.has(serial))
		account.relationships.set(serial, new Map());
	const mine = account.relationships.get(serial);
	const before = mine.get(keyOf(object))?.attributes;
	mine.set(keyOf(object), { object, attributes: { ...before, ...attributes } });
	object.people.add(serial);
}

export function unrelate(account, serial, identifiers) {
	const object = findObject(account, identifiers);
	if (!object)
		return;
	account.relationships.get(serial)?.delete(keyOf(object));
	object.people.delete(serial);
}

export function removeRelationships(account, serial) {
	for (const { object } of account.relationships.get(serial)?.values() ?? [])
		object.people.delete(serial);
	account.relationships.delete(serial);
}

function keyOf(object) {
	return `${object.object_type_id}:${object.object_id}`;
}
