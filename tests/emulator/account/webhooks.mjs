// The reporting webhooks of an account: which events there are, and who is told.
import { attributeText, changedPreferences, isUnsubscribed, PREFERENCES } from "./attributes.mjs";
import { cioId } from "./people.mjs";
import { newUlid } from "./ulid.mjs";
import { WebhookSender } from "./webhook_sender.mjs";

export class Webhooks {
	#account;
	#senders = new Map(); // id -> WebhookSender
	#lastId = 0;

	constructor(account) {
		this.#account = account;
	}

	// `settings`: see webhook_sender.mjs.
	create(settings) {
		const sender = new WebhookSender(++this.#lastId, settings, this.#account.clock);
		this.#senders.set(sender.id, sender);
		return sender;
	}

	get(id) {
		return this.#senders.get(Number(id));
	}

	all() {
		return [...this.#senders.values()];
	}

	remove(id) {
		this.get(id)?.stop();
		this.#senders.delete(Number(id));
	}

	removeAll() {
		for (const id of [...this.#senders.keys()])
			this.remove(id);
	}

	// Sends an event whose envelope is completed where it has gaps; it is returned as it goes out.
	emit(event) {
		const whole = {
			event_id: newUlid(this.#account.clock.now()), object_type: "customer",
			timestamp: this.#account.clock.seconds(), ...event,
		};
		for (const sender of this.#senders.values())
			sender.offer(whole);
		return whole;
	}

	// An attribute has changed, by whatever way: the subscription events follow, those that the bridge caused too.
	noteChange(before, after, objectType = "customer", context = {}) {
		if (this.#senders.size === 0)
			return;
		const was = isUnsubscribed(before?.attributes.unsubscribed);
		const is = isUnsubscribed(after.attributes.unsubscribed);
		const data = { ...customerData(after), ...context };
		if (was !== is)
			this.emit({ metric: is ? "unsubscribed" : "subscribed", object_type: objectType, data });
		const changed = changedPreferences(before?.attributes[PREFERENCES], after.attributes[PREFERENCES]);
		if (changed) {
			const withContent = { ...data, content: attributeText(changed) };
			this.emit({ metric: `${PREFERENCES}_changed`, object_type: objectType, data: withContent });
		}
	}
}

export function customerData(person) {
	return { customer_id: person.id ?? "", email_address: person.email, identifiers: personIdentifiers(person) };
}

export function personIdentifiers(person) {
	return { id: person.id, email: person.email, cio_id: cioId(person.serial) };
}
