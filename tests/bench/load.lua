-- wrk sends the requests of a file one after another, and from the first again; before each stands its length, in a
-- line of its own. What came of it is one line of numbers, see Load in peers.py.

local requests, at = {}, 0

function init(arguments)
	local file = assert(io.open(arguments[1], "rb"))
	for length in function() return file:read("*l") end do
		requests[#requests + 1] = file:read(tonumber(length))
	end
	file:close()
end

function request()
	at = at % #requests + 1
	return requests[at]
end

function done(summary, latency)
	local errors = summary.errors
	local broken = errors.connect + errors.read + errors.write + errors.timeout
	io.write(string.format("result %d %d %d %d %d %d\n", summary.requests, summary.duration, errors.status, broken,
		latency:percentile(50), latency:percentile(99)))
end
