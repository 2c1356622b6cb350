// The App API, put together from its parts; the first route that matches counts.
import { addAppCustomers } from "./app_customers.mjs";
import { addAppEmpty } from "./app_empty.mjs";
import { addAppExports } from "./app_exports.mjs";
import { addAppObjects } from "./app_objects.mjs";
import { addAppSegments } from "./app_segments.mjs";
import { addAppSend } from "./app_send.mjs";
import { addAppSuppressions } from "./app_suppressions.mjs";
import { addAppTopics } from "./app_topics.mjs";
import { addAppWebhooks } from "./app_webhooks.mjs";

const PARTS = [addAppCustomers, addAppTopics, addAppExports, addAppSegments, addAppObjects, addAppSuppressions,
	addAppWebhooks, addAppSend, addAppEmpty];

export function addAppApi(router, world) {
	for (const add of PARTS)
		add(router, world);
}
