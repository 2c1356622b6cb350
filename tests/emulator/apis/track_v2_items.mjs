// The items of Track API v2: type and action choose what each must have and what it does.
import { invalid, required } from "./track_v2_checks.mjs";
import { DELIVERY_ACTIONS, OBJECT_ACTIONS } from "./track_v2_object.mjs";
import { PERSON_ACTIONS } from "./track_v2_person.mjs";

const ACTIONS = { person: PERSON_ACTIONS, object: OBJECT_ACTIONS, delivery: DELIVERY_ACTIONS };

// Yields what is wrong with an item.
export function* checkItem(item) {
	const actions = own(ACTIONS, item.type);
	if (!actions)
		return void (yield item.type === undefined ? required("type") : invalid("type", "is no type"));
	const action = own(actions, item.action);
	if (!action)
		return void (yield item.action === undefined ? required("action") : invalid("action", "is no action"));
	yield* action.check(item);
}

export function applyItem(account, item) {
	ACTIONS[item.type][item.action].apply(account, item);
}

function own(table, name) {
	return typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}
