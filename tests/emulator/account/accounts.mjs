// All accounts, found by their credentials.
import { Account } from "./account.mjs";

export class Accounts {
	#byName = new Map();
	#bySiteId = new Map();
	#byAppKey = new Map();
	#byPipelinesKey = new Map();

	constructor(clock) {
		this.clock = clock;
	}

	create(settings) {
		const account = new Account({ name: `account-${this.#byName.size + 1}`, ...settings }, this.clock);
		this.remove(account.name);
		this.#byName.set(account.name, account);
		this.index();
		return account;
	}

	// After credentials have changed.
	index() {
		const all = this.all();
		this.#bySiteId = new Map(all.map((account) => [account.site_id, account]));
		this.#byAppKey = new Map(all.map((account) => [account.app_key, account]));
		this.#byPipelinesKey = new Map(all.map((account) => [account.pipelines_key, account]));
	}

	all() {
		return [...this.#byName.values()];
	}

	get(name) {
		return this.#byName.get(name);
	}

	byTrackCredentials({ user, password }) {
		const account = this.#bySiteId.get(user);
		return account?.track_key === password ? account : undefined;
	}

	byAppKey(key) {
		return this.#byAppKey.get(key);
	}

	byPipelinesKey(key) {
		return this.#byPipelinesKey.get(key);
	}

	remove(name) {
		this.#byName.get(name)?.webhooks.removeAll();
		this.#byName.delete(name);
		this.index();
	}

	clear() {
		for (const name of [...this.#byName.keys()])
			this.remove(name);
	}
}
