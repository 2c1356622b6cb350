// Finds the handler of a request. Routes are matched on the still encoded path, since a %2F belongs to a value.

export class Router {
	#routes = new Map(); // "METHOD number-of-segments" -> [{segments, handler}]

	// `pattern` such as "/v1/customers/:identifier/events"; the handler gets the exchange and the decoded values.
	add(method, pattern, handler) {
		const segments = pattern.split("/").slice(1);
		const key = `${method} ${segments.length}`;
		if (!this.#routes.has(key))
			this.#routes.set(key, []);
		this.#routes.get(key).push({ segments, handler });
		return this;
	}

	// {handler, values} or undefined.
	find(method, path) {
		const segments = path.split("/").slice(1);
		for (const route of this.#routes.get(`${method} ${segments.length}`) ?? []) {
			const values = matchSegments(route.segments, segments);
			if (values)
				return { handler: route.handler, values };
		}
		return undefined;
	}
}

function matchSegments(pattern, segments) {
	const values = {};
	for (let i = 0; i < pattern.length; i++) {
		if (pattern[i][0] === ":")
			values[pattern[i].slice(1)] = decodeSegment(segments[i]);
		else if (pattern[i] !== segments[i])
			return undefined;
	}
	return values;
}

// A plus is a plus here: only queries take it as a space.
function decodeSegment(segment) {
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment;
	}
}
