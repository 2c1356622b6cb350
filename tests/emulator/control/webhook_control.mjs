// Control API: reporting webhooks, which the account sends to `endpoint`.
import { customerData } from "../account/webhooks.mjs";
import { jsonAnswer } from "../server/answer.mjs";
import { accountOf, bodyOf, refuse } from "./control.mjs";

const WEBHOOK = "/_control/accounts/:account/webhook";

export function addWebhookControl(add) {
	add("PUT", WEBHOOK, putWebhook);
	add("GET", WEBHOOK, getWebhook);
	add("GET", `${WEBHOOK}/attempts`, getAttempts);
	add("POST", `${WEBHOOK}/events`, postEvents);
}

// The account's first webhook, whichever way it was made.
function senderOf(account) {
	const [sender] = account.webhooks.all();
	if (!sender)
		throw refuse(404, "there is no webhook");
	return sender;
}

function getWebhook(world, exchange, values) {
	return jsonAnswer(200, senderOf(accountOf(world, values)).describe());
}

// Makes the webhook or changes its settings, see webhook_sender.mjs.
function putWebhook(world, exchange, values) {
	const account = accountOf(world, values);
	const [sender] = account.webhooks.all();
	sender?.configure(bodyOf(exchange));
	return jsonAnswer(200, (sender ?? account.webhooks.create(bodyOf(exchange))).describe());
}

// Every try, in order: {at, status, error, body}.
function getAttempts(world, exchange, values) {
	const { attempts } = senderOf(accountOf(world, values));
	const from = Number(exchange.query.get("from") ?? 0);
	return jsonAnswer(200, { total: attempts.total, items: attempts.items(from) });
}

// {events: [{metric, object_type, data, …}]}; an event with `person` ({id} or {email}) gets that person's data.
function postEvents(world, exchange, values) {
	const account = accountOf(world, values);
	const { events = [] } = bodyOf(exchange);
	return jsonAnswer(202, { events: events.map((event) => account.webhooks.emit(completed(account, event))) });
}

function completed(account, { person: whose, ...event }) {
	const person = whose && account.people.find(whose);
	if (whose && !person)
		throw refuse(400, "there is no such person");
	return person ? { ...event, data: { ...customerData(person), ...event.data } } : event;
}
