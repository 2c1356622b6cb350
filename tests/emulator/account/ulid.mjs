// ULIDs, as Customer.io names its events.
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function newUlid(milliseconds) {
	let time = "";
	for (let left = milliseconds, i = 0; i < 10; i++, left = Math.floor(left / 32))
		time = ALPHABET[left % 32] + time;
	return time + Array.from(randomBytes(16), (byte) => ALPHABET[byte % 32]).join("");
}

export function isUlid(text) {
	return typeof text === "string" && /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(text);
}
