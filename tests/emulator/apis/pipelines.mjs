// The Pipelines API. In strict mode (X-Strict-Mode: 1) what is wrong is refused; without it everything is answered with
// 200, even a wrong key, and what is wrong is only noted.
import { isObject } from "../server/exchange.mjs";
import { jsonAnswer, Refusal } from "../server/answer.mjs";
import { applyCall, checkCall, TYPES } from "./pipelines_calls.mjs";
import { basicCredentials, checkRegion } from "./authentication.mjs";
import { BATCH_BYTES, ITEM_BYTES } from "./limits.mjs";

const ACCEPTED = jsonAnswer(200, {});

export function addPipelines(router, world) {
	for (const type of TYPES)
		router.add("POST", `/v1/${type}`, (exchange) => serve(world, exchange, postCall, type));
	router.add("POST", "/v1/batch", (exchange) => serve(world, exchange, postBatch));
}

// The shape of this body is not documented; one client looks for code and message, another for meta.
function refusal(status, code, message) {
	return new Refusal(jsonAnswer(status, { code, message, meta: { error: message } }));
}

function serve(world, exchange, act, type) {
	try {
		exchange.account = accountOf(world, exchange);
		act(exchange.account, exchange, type);
	} catch (error) {
		const isRedirect = error instanceof Refusal && error.answer.status === 301;
		if (!(error instanceof Refusal) || isRedirect || exchange.headers["x-strict-mode"] === "1")
			throw error;
		exchange.account?.problem("pipelines", JSON.parse(error.answer.body).message);
	}
	return ACCEPTED;
}

function accountOf(world, exchange) {
	const credentials = basicCredentials(exchange.headers.authorization);
	const account = credentials && world.accounts.byPipelinesKey(credentials.user);
	const unauthorized = () => refusal(401, "unauthorized", "invalid write key");
	if (!account || credentials.password !== "")
		throw unauthorized();
	checkRegion(account, exchange, world.urls, unauthorized);
	return account;
}

function bodyOf(exchange, limit, name) {
	if (exchange.size > limit)
		throw refusal(400, "too_large", `${name} is too large`);
	const body = exchange.json();
	if (!body)
		throw refusal(400, "invalid_request", "the body must be a JSON object");
	return body;
}

function postCall(account, exchange, type) {
	const call = bodyOf(exchange, ITEM_BYTES, "call");
	const problem = checkCall(type, call);
	if (problem)
		throw refusal(400, "invalid_request", problem);
	applyCall(account, type, call);
}

// The valid calls of a batch are taken even where another is not.
function postBatch(account, exchange) {
	const { batch, context, integrations } = bodyOf(exchange, BATCH_BYTES, "batch");
	if (!Array.isArray(batch) || batch.length === 0)
		throw refusal(400, "invalid_request", "batch must be a list of calls");
	const mayHoldLarge = exchange.size > ITEM_BYTES;
	const problems = batch.map((call) => postOne(account, call, { context, integrations }, mayHoldLarge));
	const first = problems.findIndex((problem) => problem !== undefined);
	if (first >= 0)
		throw refusal(400, "invalid_request", `batch[${first}]: ${problems[first]}`);
}

function postOne(account, call, common, mayHoldLarge) {
	if (!isObject(call) || !TYPES.includes(call.type))
		return "unknown type";
	if (mayHoldLarge && Buffer.byteLength(JSON.stringify(call)) > ITEM_BYTES)
		return "call is too large";
	const problem = checkCall(call.type, call);
	if (!problem)
		applyCall(account, call.type, { ...common, ...call });
	return problem;
}
