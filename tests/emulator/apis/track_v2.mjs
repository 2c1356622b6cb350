// Track API v2: one item (entity), or a batch of which each item is judged by itself.
import { isObject } from "../server/exchange.mjs";
import { trackAnswer, trackErrors } from "../server/answer.mjs";
import { applyItem, checkItem } from "./track_v2_items.mjs";
import { BATCH_BYTES, ITEM_BYTES } from "./limits.mjs";
import { forAccount } from "./track_access.mjs";

const BATCH_TOO_LARGE = { reason: "invalid", field: "batch", message: "batch cannot be larger than 500 kB" };
const TOO_LARGE = { reason: "invalid", field: "entity", message: "entity cannot be larger than 32 kB" };

export function addTrackV2(router, world) {
	router.add("POST", "/api/v2/entity", forAccount(world, postEntity));
	router.add("POST", "/api/v2/batch", forAccount(world, postBatch));
}

function bodyOf(exchange) {
	const body = exchange.json();
	if (!body)
		throw trackErrors(400, [{ reason: "invalid", field: "body", message: "must be a JSON object" }]);
	return body;
}

function postEntity(account, exchange) {
	if (exchange.size > ITEM_BYTES)
		throw trackErrors(400, [TOO_LARGE]);
	const item = bodyOf(exchange);
	const errors = [...checkItem(item)];
	if (errors.length > 0)
		throw trackErrors(400, errors);
	applyItem(account, item);
}

function postBatch(account, exchange) {
	if (exchange.size > BATCH_BYTES)
		throw trackErrors(400, [BATCH_TOO_LARGE]);
	const { batch } = bodyOf(exchange);
	if (!Array.isArray(batch) || batch.length === 0)
		throw trackErrors(400, [{ reason: "required", field: "batch", message: "must be a list of items" }]);
	const mayHoldLarge = exchange.size > ITEM_BYTES;
	const errors = batch.flatMap((item, index) => doItem(account, item, index, mayHoldLarge));
	return errors.length > 0 ? trackAnswer(207, { errors }) : undefined;
}

function doItem(account, item, index, mayHoldLarge) {
	const isLarge = mayHoldLarge && Buffer.byteLength(JSON.stringify(item)) > ITEM_BYTES;
	const errors = isLarge ? [TOO_LARGE] : [...checkItem(isObject(item) ? item : {})];
	if (errors.length === 0)
		applyItem(account, item);
	return errors.map((error) => ({ batch_index: index, ...error }));
}
