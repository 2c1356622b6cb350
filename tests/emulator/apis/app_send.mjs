// App API: transactional messages and triggered broadcasts. What was asked for is kept, nothing is sent anywhere.
import { randomBytes } from "node:crypto";
import { oneIdentifier } from "../account/identifiers.mjs";
import { isObject } from "../server/exchange.mjs";
import { appAnswer, appError, metaError } from "../server/answer.mjs";
import { describeDelivery } from "./app_customers.mjs";
import { forAccount, metaBodyOf, pageOf, pageOfList } from "./app_access.mjs";

const CHANNELS = ["email", "push", "sms", "whatsapp", "inbox_message", "in_app"];
const ATTACHMENTS_BYTES = 2 * 1024 * 1024;

export function addAppSend(router, world) {
	for (const channel of CHANNELS)
		router.add("POST", `/v1/send/${channel}`, forAccount(world, send(channel), "send"));
	const add = (method, path, handler, rate) => router.add(method, path, forAccount(world, handler, rate));
	add("POST", "/v1/campaigns/:broadcast/triggers", trigger, "trigger");
	add("GET", "/v1/campaigns/:broadcast/triggers/:trigger", getTrigger);
	add("GET", "/v1/campaigns/:broadcast/triggers/:trigger/errors", getTriggerErrors);
	add("GET", "/v1/messages", getMessages);
	add("GET", "/v1/messages/:message", getMessage);
}

function send(channel) {
	return (account, exchange) => {
		const message = metaBodyOf(exchange);
		checkMessage(channel, message);
		const id = randomBytes(18).toString("base64url");
		const queuedAt = account.clock.seconds();
		account.sent.add({ kind: channel, delivery_id: id, message });
		rememberDelivery(account, channel, id, message, queuedAt);
		return appAnswer({ delivery_id: id, queued_at: queuedAt });
	};
}

function checkMessage(channel, message) {
	if (!isObject(message.identifiers) || !oneIdentifier(message.identifiers))
		throw metaError(400, "identifiers must be exactly one of id, email, cio_id");
	const isInline = channel === "email" && ["body", "subject", "from"].every((name) => name in message);
	if (message.transactional_message_id === undefined && !isInline)
		throw metaError(400, "transactional_message_id is required");
	if (JSON.stringify(message.attachments ?? {}).length > ATTACHMENTS_BYTES)
		throw metaError(413, "attachments are too large");
}

function rememberDelivery(account, type, id, { identifiers, to, subject = "" }, created) {
	const person = account.people.find(oneIdentifier(identifiers));
	if (!person)
		return;
	const recipient = to ?? person.email;
	account.deliveries.set(id, {
		delivery_id: id, type, serial: person.serial, recipient, subject, metrics: ["sent"], created,
	});
}

function triggersOf(account, broadcast) {
	return account.sent.items().filter((one) => one.kind === "broadcast" && one.broadcast === broadcast);
}

function trigger(account, exchange, { broadcast }) {
	const request = metaBodyOf(exchange);
	const id = triggersOf(account, broadcast).length + 1;
	account.sent.add({ kind: "broadcast", broadcast, id, request, created_at: account.clock.seconds() });
	return appAnswer({ id });
}

function triggerIn(account, values) {
	const found = triggersOf(account, values.broadcast).find((one) => one.id === Number(values.trigger));
	if (!found)
		throw appError(404, "trigger not found");
	return found;
}

function getTrigger(account, exchange, values) {
	const { id, broadcast, created_at: createdAt } = triggerIn(account, values);
	return appAnswer({ id, campaign_id: Number(broadcast), created_at: createdAt, processed_at: createdAt });
}

function getTriggerErrors(account, exchange, values) {
	triggerIn(account, values);
	return appAnswer({ errors: [], next: "" });
}

function getMessages(account, exchange) {
	const { items, next } = pageOfList([...account.deliveries.values()], pageOf(exchange, 1000, 50));
	return appAnswer({ messages: items.map((delivery) => describeDelivery(account, delivery)), next });
}

function getMessage(account, exchange, { message: id }) {
	const delivery = account.deliveries.get(id);
	if (!delivery)
		throw appError(404, "message not found");
	return appAnswer({ message: describeDelivery(account, delivery) });
}
