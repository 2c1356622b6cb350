// What Track v1 and v2 share: the account of a request, its body, and the answer that means "accepted".
import { metaError, trackAnswer } from "../server/answer.mjs";
import { basicCredentials, checkRegion } from "./authentication.mjs";

export const ACCEPTED = trackAnswer();

const unauthorized = () => metaError(401, "Unauthorized request");

// Wraps a handler (account, exchange, values) so that it is called for the right account only.
export function forAccount(world, handler, anyRegion = false) {
	return (exchange, values) => {
		const credentials = basicCredentials(exchange.headers.authorization);
		const account = credentials && world.accounts.byTrackCredentials(credentials);
		if (!account)
			throw unauthorized();
		exchange.account = account;
		if (!anyRegion)
			checkRegion(account, exchange, world.urls, unauthorized);
		return handler(account, exchange, values) ?? ACCEPTED;
	};
}

export function bodyOf(exchange) {
	const body = exchange.json();
	if (!body)
		throw metaError(400, "request body must be a JSON object");
	return body;
}
