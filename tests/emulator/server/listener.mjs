// The HTTP server of one API in one region: reads a request, records it, lets faults happen, answers.
import { createServer } from "node:http";
import { Refusal } from "./answer.mjs";
import { Exchange } from "./exchange.mjs";
import { send } from "./sending.mjs";
import { serveFaulty } from "./mishap.mjs";

const MAX_BODY = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 65_000;

// `handle` makes the answer to an exchange, or throws a Refusal. `world` has the recorder and the faults; without it
// nothing is recorded and nothing fails.
export function createListener(api, region, handle, world) {
	const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, (request, response) => {
		readBody(request, (body) => {
			const exchange = new Exchange(api, region, request, body);
			serve(exchange, response, () => answerFor(exchange, handle), world);
		});
	});
	server.on("clientError", (error, socket) => socket.destroy());
	return server;
}

function readBody(request, done) {
	const parts = [];
	let size = 0;
	request.on("data", (part) => {
		size += part.length;
		if (size > MAX_BODY)
			request.destroy();
		else
			parts.push(part);
	});
	request.on("end", () => done(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
	request.on("error", () => {});
}

function serve(exchange, response, answer, world) {
	response.on("error", () => {});
	if (!world) {
		send(response, answer());
		return;
	}
	const entry = world.recorder.add(exchange);
	const execute = () => {
		const made = answer();
		entry.arrival.status = made.status;
		exchange.release();
		return made;
	};
	const fault = world.faults.meet(exchange);
	if (fault)
		serveFaulty(exchange, response, execute, fault, entry);
	else
		send(response, execute());
}

function answerFor(exchange, handle) {
	try {
		return handle(exchange);
	} catch (error) {
		if (error instanceof Refusal)
			return error.answer;
		process.stderr.write(`${exchange.method} ${exchange.target}: ${error.stack}\n`);
		return { status: 500, headers: { "content-type": "text/plain" }, body: "the emulator failed\n" };
	}
}
