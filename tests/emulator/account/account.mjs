// One workspace: its credentials, its settings and all that it holds.
import { randomBytes } from "node:crypto";
import { Exports } from "./exports.mjs";
import { Limiter } from "./limiter.mjs";
import { Log } from "./log.mjs";
import { People } from "./people.mjs";
import { SeenIds } from "./seen_ids.mjs";
import { Webhooks } from "./webhooks.mjs";

const MAX_EVENTS = 200_000;
const MAX_EVENT_BYTES = 64 * 1024 * 1024;
const MAX_PROBLEMS = 10_000;
const MAX_SENT = 10_000;

export const DEFAULTS = {
	region: "us",
	environment_id: 1, // of the workspace
	topics: [],
	channels: [{ id: 1, type: "email", name: "Email", description: "", subscribed_by_default: true }],
	app_rate: { limit: 10, window_ms: 1000 },
	wrong_region: "redirect", // or "refuse": what the US host does with an EU account
	error_style: "documented", // or "error", "errors": the shape of Track v1's refusals
	email_by_id: false, // may an id change an address that is set?
	export: { polls: 1, fail: false, forbidden: false, link_s: 900 },
	csv: { columns: ["id", "email"], line_end: "\n", byte_order_mark: false, spaced_json: false },
};

export class Account {
	constructor(settings, clock) {
		this.clock = clock;
		this.name = settings.name;
		this.site_id = settings.site_id ?? randomBytes(10).toString("hex");
		this.track_key = settings.track_key ?? randomBytes(10).toString("hex");
		this.app_key = settings.app_key ?? randomBytes(16).toString("hex");
		this.pipelines_key = settings.pipelines_key ?? randomBytes(10).toString("hex");
		this.settings = {};
		this.configure({ ...DEFAULTS, ...settings });
		this.people = new People();
		this.suppressed = { id: new Set(), email: new Set(), phone: new Set() };
		this.objects = new Map(); // "type:id" -> {object_type_id, object_id, cio_object_id, attributes, people}
		this.relationships = new Map(); // serial -> Map of "type:id" -> {object_type_id, object_id, attributes}
		this.segments = new Map(); // id -> {id, name, description, members: Set of serials}
		this.deliveries = new Map(); // delivery id -> {delivery_id, serial, recipient, subject, metrics}
		this.suppressions = new Map(); // type -> Map of address -> {created, email, reason, status}
		this.events = new Log(MAX_EVENTS, MAX_EVENT_BYTES);
		this.seen = new SeenIds();
		this.problems = new Log(MAX_PROBLEMS); // what was answered with 200 and yet not done
		this.sent = new Log(MAX_SENT); // messages that the App API was asked to send
		this.mergedInto = new Map(); // serial -> serial
		this.anonymous = new Map(); // anonymous id -> serial of who turned out to be behind it
		this.exports = new Exports(this);
		this.webhooks = new Webhooks(this);
	}

	// Settings may change at any time; those that are not named stay.
	configure(changes) {
		for (const name of Object.keys(DEFAULTS)) {
			if (name in changes)
				this.settings[name] = mergeSetting(DEFAULTS[name], changes[name]);
		}
		for (const name of ["site_id", "track_key", "app_key", "pipelines_key"])
			this[name] = changes[name] ?? this[name];
		this.settings.topics = this.settings.topics.map(completeTopic);
		const { limit, window_ms: windowMs } = this.settings.app_rate;
		this.limiters = {
			app: new Limiter(limit, windowMs),
			send: new Limiter(100, 1000),
			trigger: new Limiter(1, 10_000),
		};
	}

	get region() {
		return this.settings.region;
	}

	// A failure that Customer.io shows in its activity log only.
	problem(what, about) {
		this.problems.add({ at: this.clock.seconds(), what, about });
	}

	describe() {
		const { name, site_id, track_key, app_key, pipelines_key, settings } = this;
		return {
			name, site_id, track_key, app_key, pipelines_key, ...settings, people: this.people.count(),
			events: this.events.total, objects: this.objects.size,
			problems: this.problems.total, sent: this.sent.total,
		};
	}
}

function mergeSetting(standard, value) {
	const isPlain = typeof standard === "object" && !Array.isArray(standard);
	return isPlain ? { ...standard, ...value } : value;
}

function completeTopic(topic) {
	return {
		id: topic.id, identifier: `topic_${topic.id}`, name: topic.name ?? `Topic ${topic.id}`,
		description: topic.description ?? "", subscribed_by_default: topic.subscribed_by_default ?? true,
	};
}
