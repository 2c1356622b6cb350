// The webhook in Node: Express and ioredis, one process per core. Its secret is in memory, and it keeps the choice and an
// audit entry, no more; ciobridge also reads and unseals the project's secrets, and notes recent events and metrics.
"use strict";
const cluster = require("cluster");
const crypto = require("crypto");
const express = require("express");
const Redis = require("ioredis");

const { PORT, SECRET, REDIS_SOCKET, PROCESSES } = process.env;

const RECORD = `
local old, new = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil), tonumber(ARGV[2])
if old and (math.abs(old) > math.abs(new) or old == new) then
	return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('XADD', KEYS[2], '*', 'recipient', ARGV[1], 'category', '$all', 'old', old or '', 'new', ARGV[2],
	'source', 'webhook', 'reference', ARGV[3])
return 1`;

function isSigned(request) {
	const signed = crypto.createHmac("sha256", SECRET).update(`v0:${request.get("X-CIO-Timestamp")}:`)
		.update(request.body).digest();
	const given = Buffer.from(request.get("X-CIO-Signature") || "", "hex");
	return given.length === signed.length && crypto.timingSafeEqual(given, signed);
}

function serve() {
	const redis = new Redis({ path: REDIS_SOCKET, enableAutoPipelining: true });
	const app = express();
	redis.defineCommand("record", { numberOfKeys: 2, lua: RECORD });
	app.disable("x-powered-by");
	app.disable("etag");
	app.post("/webhook/:project", express.raw({ type: () => true, limit: "4mb" }), async (request, response) => {
		if (!isSigned(request))
			return response.status(401).json({ status: "refused" });
		const event = JSON.parse(request.body);
		const madeAt = event.timestamp * 1000 + 999;
		const score = event.metric === "unsubscribed" ? madeAt : -madeAt;
		const recipient = event.data.email_address.trim().toLowerCase();
		const { project } = request.params;
		const changed = await redis.record(`${project}:optouts`, `${project}:audit`, recipient, score, event.event_id);
		response.json({ status: changed ? "recorded" : "unchanged" });
	});
	app.listen(Number(PORT), "127.0.0.1", 1024);
}

if (cluster.isPrimary) {
	for (let i = 0; i < Number(PROCESSES); i++)
		cluster.fork();
	cluster.on("exit", () => process.exit(1));
	process.on("SIGTERM", () => process.exit(0));
} else {
	process.on("disconnect", () => process.exit(0));
	serve();
}
