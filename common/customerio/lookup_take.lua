#!lua flags=allow-oom
-- Takes look-ups of one partition, at random. KEYS: the queue. ARGV: how many at most.
--
-- Each stays, half a millisecond before its time, as does one that was taken before. Returns member, time …
local taken = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1], 'WITHSCORES')
for i = 1, #taken, 2 do
	local made_at = math.ceil(tonumber(taken[i + 1]))
	redis.call('ZADD', KEYS[1], 'XX', string.format('%.1f', made_at - 0.5), taken[i])
	taken[i + 1] = string.format('%.0f', made_at)
end
return taken
