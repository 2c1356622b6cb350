// Everything of the emulator put together: the accounts, the clock, and a server for each API and region.
import { Accounts } from "./account/accounts.mjs";
import { Clock } from "./account/clock.mjs";
import { addAppApi } from "./apis/app.mjs";
import { addDownloads } from "./apis/app_exports.mjs";
import { addPipelines } from "./apis/pipelines.mjs";
import { addTrackReports } from "./apis/track_reports.mjs";
import { addTrackV1 } from "./apis/track_v1.mjs";
import { addTrackV2 } from "./apis/track_v2.mjs";
import { addControl, seedAccounts } from "./control/control.mjs";
import { jsonAnswer } from "./server/answer.mjs";
import { Faults } from "./server/faults.mjs";
import { createListener } from "./server/listener.mjs";
import { Recorder } from "./server/recorder.mjs";
import { Router } from "./server/router.mjs";

const APIS = {
	track: [addTrackV1, addTrackReports, addTrackV2],
	app: [addAppApi],
	pipelines: [addPipelines],
	downloads: [addDownloads],
};
const REGIONS = ["us", "eu"];
const NOT_FOUND = { meta: { error: "not found" }, errors: [{ detail: "not found", status: "404" }] };

export function createWorld() {
	const clock = new Clock();
	const world = {
		clock, accounts: new Accounts(clock), recorder: new Recorder(), faults: new Faults(),
		urls: { us: {}, eu: {} },
		seed: (accounts) => seedAccounts(world, accounts),
		listen: (host, port) => listen(world, host, port),
	};
	return world;
}

function routed(world, ...additions) {
	const router = new Router();
	for (const add of additions)
		add(router, world);
	return (exchange) => {
		const found = router.find(exchange.method, exchange.path);
		return found ? found.handler(exchange, found.values) : jsonAnswer(404, NOT_FOUND);
	};
}

// The base URL of each: {control, us: {track, app, pipelines, downloads}, eu: {…}}.
async function listen(world, host, firstPort) {
	const places = [];
	const open = async (api, region, handle, recorded) => {
		const port = firstPort && firstPort + places.length;
		places.push(`${region} ${api}`);
		return start(createListener(api, region, handle, recorded), host, port);
	};
	const control = await open("control", "", routed(world, addControl), undefined);
	for (const region of REGIONS) {
		for (const [api, additions] of Object.entries(APIS))
			world.urls[region][api] = await open(api, region, routed(world, ...additions), world);
	}
	return { control, ...world.urls };
}

function start(server, host, port) {
	return new Promise((resolve, reject) => {
		server.on("error", reject);
		server.listen({ host, port, backlog: 1024 }, () => {
			const bare = host.includes(":") ? `[${host}]` : host;
			resolve(`http://${bare}:${server.address().port}`);
		});
	});
}
