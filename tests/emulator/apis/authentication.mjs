// Who asks, by the credentials of each API, and whether that account lives here.
import { Refusal } from "../server/answer.mjs";

// {user, password} of HTTP Basic, or undefined. Node reads base64 in either alphabet, and clients send both.
export function basicCredentials(header = "") {
	const [, encoded] = /^Basic +(\S+)$/i.exec(header) ?? [];
	if (encoded === undefined)
		return undefined;
	const text = Buffer.from(encoded, "base64").toString("utf8");
	const colon = text.indexOf(":");
	return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function bearerToken(header = "") {
	return /^Bearer +(\S+)$/i.exec(header)?.[1];
}

// The US host sends an EU account to its own; the EU host knows no US account. `refuse` makes the refusal.
export function checkRegion(account, exchange, urls, refuse) {
	if (account.region === exchange.region)
		return;
	if (exchange.region === "eu" || account.settings.wrong_region === "refuse")
		throw refuse();
	const location = urls[account.region][exchange.api] + exchange.target;
	throw new Refusal({ status: 301, headers: { location, "content-type": "text/plain" }, body: "" });
}
