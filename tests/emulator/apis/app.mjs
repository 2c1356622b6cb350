// The App API, put together from its parts.
import { addAppCustomers } from "./app_customers.mjs";
import { addAppExports } from "./app_exports.mjs";
import { addAppTopics } from "./app_topics.mjs";

const PARTS = [addAppCustomers, addAppTopics, addAppExports];

export function addAppApi(router, world) {
	for (const add of PARTS)
		add(router, world);
}
