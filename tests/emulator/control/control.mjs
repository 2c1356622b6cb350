// The control API, for tests: makes accounts, breaks things, turns the clock, reads back what came. No credentials.
import { identify } from "../account/profiles.mjs";
import { jsonAnswer, Refusal } from "../server/answer.mjs";
import { addReading } from "./reading.mjs";
import { addWebhookControl } from "./webhook_control.mjs";

const ACCOUNT = "/_control/accounts/:account";

export function addControl(router, world) {
	const add = (method, path, handler) =>
		router.add(method, path, (exchange, values) => handler(world, exchange, values));
	add("POST", "/_control/reset", postReset);
	add("GET", "/_control/clock", (it) => jsonAnswer(200, { now: it.clock.now() / 1000 }));
	add("POST", "/_control/clock", postClock);
	add("POST", "/_control/faults", postFault);
	add("GET", "/_control/faults", (it) => jsonAnswer(200, { faults: it.faults.list() }));
	add("DELETE", "/_control/faults", (it) => done(it.faults.clear()));
	add("DELETE", "/_control/faults/:fault", (it, exchange, { fault }) => done(it.faults.remove(fault)));
	add("POST", "/_control/accounts", postAccount);
	add("GET", ACCOUNT, (it, exchange, values) => jsonAnswer(200, accountOf(it, values).describe()));
	add("PATCH", ACCOUNT, patchAccount);
	add("DELETE", ACCOUNT, (it, exchange, { account }) => done(it.accounts.remove(account)));
	add("POST", `${ACCOUNT}/people`, postPeople);
	add("POST", `${ACCOUNT}/deliveries`, postDelivery);
	addReading(add);
	addWebhookControl(add);
}

export function done() {
	return { status: 204, headers: {}, body: "" };
}

export function refuse(status, text) {
	return new Refusal(jsonAnswer(status, { error: text }));
}

export function bodyOf(exchange) {
	const body = exchange.json();
	if (!body)
		throw refuse(400, "the body must be a JSON object");
	return body;
}

export function accountOf(world, { account: name }) {
	const account = world.accounts.get(name);
	if (!account)
		throw refuse(404, `there is no account ${name}`);
	return account;
}

function postReset(world) {
	world.accounts.clear();
	world.faults.clear();
	world.recorder.clear();
	world.clock.reset();
	return done();
}

// {advance_s: seconds}: time only goes forward.
function postClock(world, exchange) {
	const { advance_s: seconds } = bodyOf(exchange);
	if (typeof seconds !== "number" || seconds < 0)
		throw refuse(400, "advance_s must be a number of seconds");
	world.clock.advance(seconds * 1000);
	return jsonAnswer(200, { now: world.clock.now() / 1000 });
}

function postFault(world, exchange) {
	try {
		return jsonAnswer(201, world.faults.add(bodyOf(exchange)).describe());
	} catch (error) {
		throw error instanceof TypeError ? refuse(400, error.message) : error;
	}
}

function postAccount(world, exchange) {
	return jsonAnswer(201, seedAccount(world, bodyOf(exchange)).describe());
}

// An account with all it starts with: its settings, and people, generate, segments, objects, deliveries, webhook.
function seedAccount(world, description) {
	const account = world.accounts.create(description);
	for (const segment of description.segments ?? [])
		account.segments.set(segment.id, { description: "", ...segment, members: new Set() });
	addPeople(account, description);
	for (const delivery of description.deliveries ?? [])
		addDelivery(account, delivery);
	if (description.webhook)
		account.webhooks.create(description.webhook);
	return account;
}

export function seedAccounts(world, accounts) {
	for (const description of [accounts].flat())
		seedAccount(world, description);
}

function patchAccount(world, exchange, values) {
	const account = accountOf(world, values);
	account.configure(bodyOf(exchange));
	world.accounts.index();
	return jsonAnswer(200, account.describe());
}

// {people: [attributes with id or email], generate: see template.mjs}; each person may name `segments`.
function addPeople(account, { people = [], generate }) {
	for (const description of [generate ?? []].flat())
		account.people.generate(description);
	for (const { segments = [], ...attributes } of people) {
		const key = ["id", "email", "phone"].find((kind) => attributes[kind] !== undefined);
		if (!key)
			throw refuse(400, "a person needs an id, an email or a phone");
		const person = identify(account, { [key]: String(attributes[key]) }, attributes);
		for (const id of person ? segments : [])
			account.segments.get(id)?.members.add(person.serial);
	}
}

function postPeople(world, exchange, values) {
	const account = accountOf(world, values);
	addPeople(account, bodyOf(exchange));
	return jsonAnswer(201, { people: account.people.count() });
}

// {delivery_id, email|id of the person, subject}: a message that was sent, so that it can be reported about.
function addDelivery(account, { delivery_id: id, email, id: personId, subject = "Hello" }) {
	const person = account.people.find(email === undefined ? { id: personId } : { email });
	if (!person || typeof id !== "string")
		throw refuse(400, "a delivery needs delivery_id and the email or id of a person");
	account.deliveries.set(id, {
		delivery_id: id, type: "email", serial: person.serial, recipient: person.email, subject,
		metrics: ["sent"], created: account.clock.seconds(),
	});
}

function postDelivery(world, exchange, values) {
	addDelivery(accountOf(world, values), bodyOf(exchange));
	return done();
}
