// The people of an account, found by id, address or cio_id, and walked through in the order in which they came.
// A stored person is never changed but replaced, so that a snapshot is a copy of one map.
import { Template } from "./template.mjs";

const CIO_ID_BASE = 0xa3000000;

export class People {
	#templates = [];
	#stored = new Map(); // serial -> person, or null for one that is gone
	#byId = new Map();
	#byEmail = new Map();
	#byPhone = new Map();
	#last = 0;

	// Adds people who are computed, see template.mjs.
	generate(description) {
		this.#templates.push(new Template(description, this.#last + 1));
		this.#last += description.count;
	}

	get last() {
		return this.#last;
	}

	// How many there are.
	count() {
		let count = this.#templates.reduce((sum, template) => sum + template.count, 0);
		for (const [serial, person] of this.#stored)
			count += (person ? 1 : 0) - (this.#template(serial) ? 1 : 0);
		return count;
	}

	get(serial) {
		const stored = this.#stored.get(serial);
		if (stored !== undefined)
			return stored ?? undefined;
		const template = this.#template(serial);
		return template && {
			serial, id: template.id(serial), email: template.email(serial), phone: null,
			attributes: template.allAttributes(serial), timestamps: {}, devices: [],
		};
	}

	exists(serial) {
		const stored = this.#stored.get(serial);
		return stored === undefined ? this.#template(serial) !== undefined : stored !== null;
	}

	// One attribute, without making the person.
	attribute(serial, name) {
		const person = this.#stored.get(serial);
		const template = person === undefined ? this.#template(serial) : undefined;
		if (name === "id" || name === "email")
			return (person ? person[name] : template?.[name](serial)) ?? undefined;
		if (name === "cio_id")
			return cioId(serial);
		return person ? person.attributes[name] : template?.attribute(serial, name);
	}

	// `identifiers` has one of id, email, cio_id, phone.
	find({ id, email, cio_id: cio, phone }) {
		if (id !== undefined)
			return this.#findBy("id", id);
		if (email !== undefined)
			return this.#findBy("email", email.toLowerCase());
		if (phone !== undefined)
			return this.get(this.#byPhone.get(phone));
		return cio === undefined ? undefined : this.get(serialOf(cio));
	}

	#findBy(kind, value) {
		const stored = (kind === "id" ? this.#byId : this.#byEmail).get(value);
		if (stored !== undefined)
			return this.get(stored);
		for (const template of this.#templates) {
			const serial = kind === "id" ? template.findId(value) : template.findEmail(value);
			if (serial !== undefined && !this.#stored.has(serial))
				return this.get(serial);
		}
		return undefined;
	}

	create() {
		const person = { serial: ++this.#last, id: null, email: null, phone: null, attributes: {},
			timestamps: {}, devices: [] };
		this.#stored.set(person.serial, person);
		return person;
	}

	replace(person) {
		this.#unindex(this.#stored.get(person.serial));
		this.#stored.set(person.serial, person);
		if (person.id !== null)
			this.#byId.set(person.id, person.serial);
		if (person.email !== null)
			this.#byEmail.set(person.email.toLowerCase(), person.serial);
		if (person.phone)
			this.#byPhone.set(person.phone, person.serial);
		return person;
	}

	remove(person) {
		this.#unindex(this.#stored.get(person.serial));
		if (this.#template(person.serial))
			this.#stored.set(person.serial, null);
		else
			this.#stored.delete(person.serial);
	}

	#unindex(person) {
		if (!person)
			return;
		this.#byId.delete(person.id);
		this.#byEmail.delete(person.email?.toLowerCase());
		this.#byPhone.delete(person.phone);
	}

	#template(serial) {
		return this.#templates.find((template) => template.holds(serial));
	}

	// Serial numbers after `after` whose person passes `test`, at most `limit`.
	search(test, after, limit) {
		const found = [];
		for (let serial = after + 1; serial <= this.#last && found.length < limit; serial++) {
			if (this.exists(serial) && test(this, serial))
				found.push(serial);
		}
		return found;
	}

	// How everybody is now, whatever changes later. Only for walking through, not for finding.
	snapshot() {
		const copy = new People();
		copy.#templates = this.#templates.slice();
		copy.#stored = new Map(this.#stored);
		copy.#last = this.#last;
		return copy;
	}
}

export function cioId(serial) {
	return (CIO_ID_BASE + serial).toString(16);
}

function serialOf(cio) {
	const text = String(cio).replace(/^cio_/, "");
	return /^[0-9a-f]{8}$/.test(text) ? parseInt(text, 16) - CIO_ID_BASE : undefined;
}
