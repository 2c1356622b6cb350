// Everything that came, to be read back: the last requests whole, within a budget of bytes, and when each arrived.
import { Log } from "../account/log.mjs";

const MAX_REQUESTS = 200_000;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_ARRIVALS = 1_000_000;

export class Recorder {
	constructor() {
		this.clear();
	}

	clear() {
		this.requests = new Log(MAX_REQUESTS, MAX_BYTES);
		this.arrivals = new Map(); // api -> Log of milliseconds
	}

	add(exchange) {
		const arrival = { at: performance.timeOrigin + performance.now(), status: undefined };
		const entry = { arrival, exchange, fault: undefined };
		this.requests.add(entry, exchange.body.length + exchange.target.length + 500);
		if (!this.arrivals.has(exchange.api))
			this.arrivals.set(exchange.api, new Log(MAX_ARRIVALS));
		this.arrivals.get(exchange.api).add(arrival);
		return entry;
	}

	// {total, per_second: {second: count}, most_in_window}; `accepted` leaves out what was answered with 429.
	rates(api, windowMs, accepted) {
		const times = (this.arrivals.get(api)?.items() ?? [])
			.filter((arrival) => !accepted || arrival.status !== 429).map((arrival) => arrival.at);
		const perSecond = {};
		let most = 0;
		for (let i = 0, first = 0; i < times.length; i++) {
			while (times[i] - times[first] >= windowMs)
				first++;
			most = Math.max(most, i - first + 1);
			const second = Math.floor(times[i] / 1000);
			perSecond[second] = (perSecond[second] ?? 0) + 1;
		}
		return { total: times.length, per_second: perSecond, most_in_window: most };
	}
}

// `status` is that of the answer, even of one that a fault then kept from arriving.
export function describeRequest({ arrival, exchange, fault }, number) {
	return {
		number, at: arrival.at, api: exchange.api, region: exchange.region, method: exchange.method,
		target: exchange.target, path: exchange.path, headers: exchange.headers, body: exchange.text,
		account: exchange.account?.name ?? null, status: arrival.status ?? null, fault: fault ?? null,
	};
}
