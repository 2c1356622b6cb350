// A local Customer.io, see README.md. Prints one line of JSON that says where it listens, and ends on SIGTERM, on
// SIGINT and when the process that started it is gone.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createWorld } from "./world.mjs";

const PARENT_CHECK_MS = 250;

const { values: options } = parseArgs({ options: {
	listen: { type: "string", default: "127.0.0.1:0" },
	seed: { type: "string" },
} });

function fail(message) {
	process.stderr.write(`emulator: ${message}\n`);
	process.exit(2);
}

// The first port of several in a row; 0 takes any that are free.
function parseAddress(text) {
	const [, host, port] = /^(.+):([0-9]{1,5})$/.exec(text) ?? [];
	if (host === undefined || Number(port) > 65_535)
		fail("--listen takes host:port");
	return { host, port: Number(port) };
}

function endWithParent(parent) {
	setInterval(() => {
		if (process.ppid !== parent)
			process.exit(0);
	}, PARENT_CHECK_MS).unref();
}

const { host, port } = parseAddress(options.listen);
endWithParent(process.ppid);
for (const signal of ["SIGTERM", "SIGINT"])
	process.on(signal, () => process.exit(0));
const world = createWorld();
try {
	if (options.seed)
		world.seed(JSON.parse(readFileSync(options.seed, "utf8")));
	process.stdout.write(`${JSON.stringify(await world.listen(host, port))}\n`);
} catch (error) {
	fail(error.message);
}
