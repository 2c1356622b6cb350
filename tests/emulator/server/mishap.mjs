// Serves a request to which a fault happens, see faults.mjs.
import { jsonAnswer } from "./answer.mjs";
import { reset, send, sendCut } from "./sending.mjs";

export function serveFaulty(exchange, response, execute, { rule, watchers }, entry) {
	const answer = () => {
		const made = execute();
		for (const watcher of watchers)
			watcher.lastAnswer = made;
		return made;
	};
	if (!rule) {
		send(response, answer());
		return;
	}
	entry.fault = rule.id;
	const { latency_ms: latency = 0, hang } = rule.effects;
	if (!hang)
		setTimeout(() => happen(exchange, response, answer, rule, entry), latency);
}

function happen(exchange, response, execute, rule, entry) {
	const { effects } = rule;
	if (effects.reset)
		return reset(response);
	const made = answerUnder(rule, execute);
	entry.arrival.status = made.status;
	if (effects.lost)
		return reset(response);
	const answer = edited(made, rule, exchange);
	rule.lastAnswer = answer;
	if (effects.truncate || effects.cut_after !== undefined)
		return sendCut(response, answer, effects.cut_after);
	return send(response, answer);
}

function answerUnder({ effects, limiter }, execute) {
	if (limiter)
		return limiter.take() ? execute() : tooMany(effects.rate_limit);
	if (effects.status === undefined)
		return execute();
	if (effects.accepted)
		execute();
	return statusAnswer(effects);
}

function tooMany({ retry_after: after = 1 }) {
	const headers = after === null ? {} : { "retry-after": String(after) };
	return jsonAnswer(429, { meta: { error: "too many requests" } }, headers);
}

function statusAnswer({ status, body = { meta: { error: `fault ${status}` } }, headers }) {
	if (typeof body !== "string")
		return jsonAnswer(status, body, headers);
	return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body };
}

function edited(answer, rule, exchange) {
	const { set, remove, repeat, loop, malformed } = rule.effects;
	if (repeat && rule.lastAnswer)
		return rule.lastAnswer;
	if (malformed)
		return { ...answer, body: `${answer.body.trimEnd().slice(0, -1)},]` };
	if (!set && !remove && !loop)
		return answer;
	const value = { ...JSON.parse(answer.body), ...set };
	for (const name of remove ?? [])
		delete value[name];
	if (loop && exchange.query.get("start"))
		value.next = exchange.query.get("start");
	return { ...answer, body: JSON.stringify(value) };
}
