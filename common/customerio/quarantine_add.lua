#!lua flags=allow-oom
-- Keeps a webhook that was not understood. KEYS: the stream, its totals. ARGV: the most entries, the most bytes of
-- bodies, reason, X-CIO-Timestamp, size of the whole body, the first part of the body.
local most_entries, most_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('XADD', KEYS[1], '*', 'reason', ARGV[3], 'timestamp', ARGV[4], 'size', ARGV[5], 'body', ARGV[6])
redis.call('HINCRBY', KEYS[2], 'taken', 1)
local bytes = redis.call('HINCRBY', KEYS[2], 'bytes', #ARGV[6])
while redis.call('XLEN', KEYS[1]) > most_entries or bytes > most_bytes do
	local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
	if not oldest then
		-- Somebody deleted the stream by hand, so there is nothing left to count.
		redis.call('HSET', KEYS[2], 'bytes', 0)
		break
	end
	redis.call('XDEL', KEYS[1], oldest[1])
	redis.call('HINCRBY', KEYS[2], 'dropped', 1)
	bytes = redis.call('HINCRBY', KEYS[2], 'bytes', -#oldest[2][8])
end
return redis.status_reply('OK')
