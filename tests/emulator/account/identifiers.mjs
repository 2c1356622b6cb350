// The names that a person goes by.

// What the identifier in a Track v1 path is, told by its shape.
export function guessIdentifier(text) {
	if (/^cio_[0-9a-f]+$/.test(text))
		return { cio_id: text.slice(4) };
	return text.includes("@") ? { email: text } : { id: text };
}

// {id|email|cio_id|phone: text} out of an object that has exactly one of them as a string or a number, or undefined.
export function oneIdentifier(object, kinds = ["id", "email", "cio_id", "phone"]) {
	const names = Object.keys(object ?? {});
	if (names.length !== 1 || !kinds.includes(names[0]))
		return undefined;
	const value = object[names[0]];
	if (typeof value !== "string" && typeof value !== "number")
		return undefined;
	return value === "" ? undefined : { [names[0]]: String(value) };
}

export function identifierText(identifiers) {
	return Object.entries(identifiers).map(([kind, value]) => `${kind} ${value}`).join(", ");
}
