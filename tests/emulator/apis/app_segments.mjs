// App API: manual segments.
import { appAnswer, appError } from "../server/answer.mjs";
import { bodyOf, cursorAt, forAccount, identifiersOf, pageOf } from "./app_access.mjs";

const MEMBERSHIP_LIMIT = 30_000;
const SEGMENT = "/v1/segments/:segment";

export function addAppSegments(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	add("GET", "/v1/segments", getSegments);
	add("POST", "/v1/segments", postSegment);
	add("GET", SEGMENT, getSegment);
	add("DELETE", SEGMENT, deleteSegment);
	add("GET", `${SEGMENT}/customer_count`, getCount);
	add("GET", `${SEGMENT}/membership`, getMembership);
	add("GET", `${SEGMENT}/used_by`, getUsedBy);
}

function segmentIn(account, { segment: id }) {
	const segment = account.segments.get(Number(id));
	if (!segment)
		throw appError(404, "segment not found");
	return segment;
}

function describe({ id, name, description }) {
	return { id, name, description, state: "finished", progress: null, type: "manual" };
}

function getSegments(account) {
	return appAnswer({ segments: [...account.segments.values()].map(describe) });
}

function getSegment(account, exchange, values) {
	return appAnswer({ segment: describe(segmentIn(account, values)) });
}

function postSegment(account, exchange) {
	const { segment } = bodyOf(exchange);
	if (typeof segment?.name !== "string" || segment.name === "")
		throw appError(422, "name is required", { pointer: "/segment/name" });
	const id = Math.max(0, ...account.segments.keys()) + 1;
	const { name, description = "" } = segment;
	account.segments.set(id, { id, name, description, members: new Set() });
	return appAnswer({ segment: describe(account.segments.get(id)) });
}

function deleteSegment(account, exchange, values) {
	account.segments.delete(segmentIn(account, values).id);
	return { status: 204, headers: {}, body: "" };
}

function getCount(account, exchange, values) {
	return appAnswer({ count: segmentIn(account, values).members.size });
}

function getMembership(account, exchange, values) {
	const { members } = segmentIn(account, values);
	const { start, limit } = pageOf(exchange, MEMBERSHIP_LIMIT);
	const serials = account.people.search((people, serial) => members.has(serial), start, limit + 1);
	const next = serials.length > limit ? cursorAt(serials[limit - 1]) : "";
	const identifiers = serials.slice(0, limit).map((serial) => identifiersOf(account.people.get(serial)));
	return appAnswer({ identifiers, ids: identifiers.map(({ id }) => id ?? ""), next });
}

function getUsedBy(account, exchange, values) {
	segmentIn(account, values);
	return appAnswer({ used_by: { campaigns: [], sent_newsletters: [], draft_newsletters: [] } });
}
