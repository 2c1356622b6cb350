// Puts an answer on the wire, whole or cut.
import { Readable } from "node:stream";

export function send(response, answer) {
	if (answer.stream) {
		response.writeHead(answer.status, answer.headers);
		Readable.from(answer.stream).on("error", () => response.destroy()).pipe(response);
		return;
	}
	const body = answer.body ?? "";
	response.writeHead(answer.status, { ...answer.headers, "content-length": Buffer.byteLength(body) });
	response.end(body);
}

// The first `bytes` of the body and then nothing more, as when the other end dies. Half of it without a number.
export function sendCut(response, answer, bytes) {
	const body = Buffer.from(answer.stream ? [...answer.stream].join("") : answer.body ?? "");
	response.writeHead(answer.status, { ...answer.headers, "content-length": body.length });
	response.flushHeaders();
	response.write(body.subarray(0, bytes ?? Math.floor(body.length / 2)), () => response.destroy());
}

export function reset(response) {
	response.socket?.resetAndDestroy?.();
}
