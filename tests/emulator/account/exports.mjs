// Exports of people and deliveries: made, waited for, downloaded as CSV by a link that is signed and expires.
import { createHmac, randomBytes } from "node:crypto";
import { attributeText, PREFERENCES } from "./attributes.mjs";

export class Exports {
	#account;
	#all = new Map();
	#key = randomBytes(16);

	constructor(account) {
		this.#account = account;
	}

	// `matches` chooses the people; undefined for deliveries.
	create(type, { description = "", matches, attributes = [] }) {
		const { clock, settings } = this.#account;
		const now = clock.seconds();
		const id = 110 + this.#all.size;
		const made = {
			id, deduplicate_id: `${id}:${now}`, type, failed: false, status: "pending", description,
			downloads: 0, total: 0, user_id: 0, user_email: "", created_at: now, updated_at: now,
		};
		const people = type === "customers" ? this.#account.people.snapshot() : undefined;
		this.#all.set(id, { shown: made, people, matches, attributes, pollsLeft: settings.export.polls });
		return made;
	}

	list() {
		return [...this.#all.values()].map((one) => one.shown);
	}

	// Each look brings it nearer to its end.
	look(id) {
		const one = this.#all.get(Number(id));
		if (one?.shown.status === "pending" && --one.pollsLeft < 0)
			this.#finish(one);
		return one?.shown;
	}

	#finish(one) {
		const { clock, settings } = this.#account;
		one.shown.failed = settings.export.fail;
		one.shown.status = settings.export.fail ? "failed" : "done";
		one.shown.updated_at = clock.seconds();
		if (!settings.export.fail && one.people)
			one.shown.total = one.people.search(one.matches, 0, Infinity).length;
	}

	// The path and query of a link to the file; undefined while there is none.
	link(id) {
		const one = this.#all.get(Number(id));
		if (one?.shown.status !== "done")
			return undefined;
		const expires = this.#account.clock.seconds() + this.#account.settings.export.link_s;
		const path = `/${encodeURIComponent(this.#account.name)}/exports/${one.shown.id}.csv`;
		return `${path}?expires=${expires}&signature=${this.#sign(one.shown.id, expires)}`;
	}

	isLinkGood(id, expires, signature) {
		return signature === this.#sign(id, expires) && Number(expires) > this.#account.clock.seconds();
	}

	#sign(id, expires) {
		return createHmac("sha256", this.#key).update(`${id}:${expires}`).digest("hex");
	}

	// The file in parts, so that a large one is never held whole.
	*file(id) {
		const one = this.#all.get(Number(id));
		const { csv } = this.#account.settings;
		one.shown.downloads++;
		const columns = [...new Set([...csv.columns, ...one.attributes])];
		yield (csv.byte_order_mark ? "\ufeff" : "") + columns.map(csvField).join(",") + csv.line_end;
		if (!one.people)
			return;
		for (let last = 0; ;) {
			const serials = one.people.search(one.matches, last, 1000);
			if (serials.length === 0)
				return;
			last = serials.at(-1);
			yield serials.map((serial) => csvRow(one.people, serial, columns, csv)).join("");
		}
	}
}

function csvRow(people, serial, columns, csv) {
	const cells = columns.map((name) => cell(people.attribute(serial, name), name, csv));
	return cells.map(csvField).join(",") + csv.line_end;
}

function cell(value, name, csv) {
	if (value === undefined || value === null)
		return "";
	const text = attributeText(value);
	return csv.spaced_json && name === PREFERENCES ? text.replaceAll(":", ": ").replaceAll(",", ", ") : text;
}

function csvField(text) {
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
