// App API: what can be subscribed to, and small things about the workspace.
import { createHmac } from "node:crypto";
import { appAnswer, appError } from "../server/answer.mjs";
import { forAccount } from "./app_access.mjs";

const IP_ADDRESSES = { us: ["35.188.196.183", "104.198.177.219"], eu: ["34.76.143.229", "34.78.91.47"] };

export function addAppTopics(router, world) {
	const add = (path, handler) => router.add("GET", path, forAccount(world, handler));
	add("/v1/subscription_topics", (account) => appAnswer({ topics: account.settings.topics }));
	add("/v1/subscription_channels", (account) => appAnswer({ channels: account.settings.channels }));
	add("/v1/subscription_center/:customer/token", getToken);
	add("/v1/info/ip_addresses", (account) => appAnswer({ ip_addresses: IP_ADDRESSES[account.region] }));
	add("/v1/workspaces", getWorkspaces);
}

function getWorkspaces({ name, settings }) {
	return appAnswer({ workspaces: [{ id: settings.environment_id, name }] });
}

function getToken(account, exchange, { customer }) {
	const person = account.people.find({ id: customer });
	if (!person)
		throw appError(400, "customer not found");
	const day = Math.floor(account.clock.seconds() / 86_400);
	const token = createHmac("sha256", account.app_key).update(`${person.serial}:${day}`).digest("base64url");
	return appAnswer({ token, url: `https://track.customer.io/u/i/${token}/` });
}
