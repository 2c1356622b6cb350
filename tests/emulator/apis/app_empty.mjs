// App API: what a workspace composes its messages of. Here there is none of it: lists are empty, nothing is found by an
// id, and nothing can be made. That is all that this emulator pretends to know of these.
import { appAnswer, appError } from "../server/answer.mjs";
import { forAccount } from "./app_access.mjs";

// path -> the member that holds the list
const LISTS = {
	"/v1/campaigns": "campaigns",
	"/v1/broadcasts": "broadcasts",
	"/v1/newsletters": "newsletters",
	"/v1/transactional": "messages",
	"/v1/collections": "collections",
	"/v1/snippets": "snippets",
	"/v1/sender_identities": "sender_identities",
	"/v1/assets": "assets",
	"/v1/assets/folders": "folders",
	"/v1/design_studio/folders": "folders",
	"/v1/design_studio/emails": "emails",
	"/v1/design_studio/components": "components",
};
const MAKING = ["/v1/newsletters", "/v1/collections", "/v1/snippets", "/v1/assets/files", "/v1/assets/folders",
	"/v1/design_studio/folders", "/v1/design_studio/emails", "/v1/design_studio/components", "/v1/imports",
	"/v1/data_index/attributes", "/v1/data_index/events"];
const ONE_OF = ["campaigns", "broadcasts", "newsletters", "transactional", "collections", "snippets",
	"sender_identities", "assets", "design_studio", "imports", "messages"];
const METHODS = ["GET", "PUT", "POST", "DELETE"];
const DEEPEST = 7; // segments below /v1

export function addAppEmpty(router, world) {
	const add = (method, path, handler) => router.add(method, path, forAccount(world, handler));
	for (const [path, member] of Object.entries(LISTS))
		add("GET", path, () => appAnswer({ [member]: [], next: "" }));
	for (const path of MAKING)
		add("POST", path, notHere);
	add("PUT", "/v1/snippets", notHere);
	for (const kind of ONE_OF) {
		for (let depth = 1; depth < DEEPEST; depth++)
			METHODS.forEach((method) => add(method, `/v1/${kind}${"/:any".repeat(depth)}`, notFound));
	}
}

function notHere() {
	throw appError(403, "the emulated workspace composes no messages");
}

function notFound() {
	throw appError(404, "not found");
}
