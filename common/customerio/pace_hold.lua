#!lua flags=allow-oom
-- No turn before so long from now. KEYS: the pace. ARGV: µs.
local key, pause = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for _, field in ipairs({'next', 'hold'}) do
	local kept = tonumber(redis.call('HGET', key, field) or 0)
	redis.call('HSET', key, field, string.format('%.0f', math.max(kept, now + pause)))
end
local last = tonumber(redis.call('HGET', key, 'next'))
redis.call('PEXPIRE', key, math.ceil((last - now) / 1000) + 60000)
return redis.status_reply('OK')
