// People who are not stored but computed from a number, so that a million of them take no memory.
//
// {count, id: "user-{n}", email: "user-{n}@example.com", attributes: {…}, unsubscribed_every: 10,
//  topics: {topic_3: {every: 7, subscribed: false}}, without_email_every: 50, without_id_every: 60}
// n runs from 1 to count; "every: k" means those whose n is a multiple of k.

export class Template {
	constructor(description, first) {
		this.first = first; // serial number of n = 1
		this.count = description.count;
		this.idPattern = splitPattern(description.id ?? "user-{n}");
		this.emailPattern = splitPattern((description.email ?? "user-{n}@example.com").toLowerCase());
		this.attributes = description.attributes ?? {};
		this.unsubscribedEvery = description.unsubscribed_every ?? 0;
		this.withoutEmailEvery = description.without_email_every ?? 0;
		this.withoutIdEvery = description.without_id_every ?? 0;
		this.topics = Object.entries(description.topics ?? {});
	}

	holds(serial) {
		return serial >= this.first && serial < this.first + this.count;
	}

	id(serial) {
		const n = serial - this.first + 1;
		return isEvery(n, this.withoutIdEvery) ? null : this.idPattern.join(n);
	}

	email(serial) {
		const n = serial - this.first + 1;
		return isEvery(n, this.withoutEmailEvery) ? null : this.emailPattern.join(n);
	}

	attribute(serial, name) {
		const n = serial - this.first + 1;
		if (name === "unsubscribed" && isEvery(n, this.unsubscribedEvery))
			return true;
		if (name === "cio_subscription_preferences" && this.topics.length > 0)
			return this.#preferences(n) ?? this.attributes[name];
		return this.attributes[name];
	}

	#preferences(n) {
		const chosen = this.topics.filter(([, choice]) => isEvery(n, choice.every ?? 1));
		if (chosen.length === 0)
			return undefined;
		const topics = chosen.map(([topic, choice]) => [topic, choice.subscribed ?? false]);
		return { topics: Object.fromEntries(topics) };
	}

	// All attributes of one person, for the moment when somebody changes it or looks at it.
	allAttributes(serial) {
		const attributes = { ...this.attributes };
		for (const name of ["unsubscribed", "cio_subscription_preferences"]) {
			const value = this.attribute(serial, name);
			if (value !== undefined)
				attributes[name] = value;
		}
		return attributes;
	}

	// The serial number of whoever has this id or (lower-case) address, or undefined.
	findId(id) {
		return this.#find(this.idPattern, id, this.withoutIdEvery);
	}

	findEmail(email) {
		return this.#find(this.emailPattern, email, this.withoutEmailEvery);
	}

	#find(pattern, text, withoutEvery) {
		const n = pattern.number(text);
		if (n === undefined || n > this.count || isEvery(n, withoutEvery))
			return undefined;
		return this.first + n - 1;
	}
}

function isEvery(n, every) {
	return every > 0 && n % every === 0;
}

function splitPattern(text) {
	const at = text.indexOf("{n}");
	const before = at < 0 ? text : text.slice(0, at);
	const after = at < 0 ? "" : text.slice(at + 3);
	return {
		join: (n) => before + n + after,
		number(given) {
			if (!given.startsWith(before) || !given.endsWith(after))
				return undefined;
			const digits = given.slice(before.length, given.length - after.length);
			return /^[1-9][0-9]{0,8}$/.test(digits) ? Number(digits) : undefined;
		},
	};
}
