// What the emulator sends as a reporting webhook, checked by customerio-node's own function.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { load, main } from "./harness.mjs";

const { TrackClient, verifyRequestSignature } = load("customerio-node");
const SECRET = "a-signing-key";

// A receiver that keeps what it gets.
function listen(got) {
	const server = createServer((request, response) => {
		let body = "";
		request.on("data", (part) => body += part);
		request.on("end", () => {
			got.push({ headers: request.headers, body });
			response.end();
		});
	});
	return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

async function prepare(cio) {
	const got = [];
	const endpoint = `http://127.0.0.1:${await listen(got)}/webhook`;
	const account = await cio.create({ webhook: { endpoint, signing_key: SECRET } });
	const client = new TrackClient(account.site_id, account.track_key, { url: `${cio.urls.us.track}/api/v1` });
	return { client, got };
}

async function next(got, count) {
	while (got.length < count)
		await new Promise((resolve) => setTimeout(resolve, 5));
	return got[count - 1];
}

const verify = ({ headers, body }, signingSecret = SECRET) => verifyRequestSignature({
	signingSecret, timestamp: headers["x-cio-timestamp"], signature: headers["x-cio-signature"], body,
});

const cases = {
	async verifyRequestSignature({ client, got }) {
		await client.identify("w", { email: "zoë@example.com", unsubscribed: true });
		const request = await next(got, 1);
		assert.ok(verify(request));
		assert.ok(!verify(request, "another-key"));
		assert.ok(!verify({ ...request, body: request.body.replace("true", "false") + " " }));
		assert.equal(JSON.parse(request.body).metric, "unsubscribed");
	},
};

await main("webhooks", cases, prepare);
