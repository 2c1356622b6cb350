#!lua flags=allow-oom
-- Removes a look-up that was taken, unless an event has lifted it since. KEYS: the queue. ARGV: its time, member.
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if score and tonumber(score) == tonumber(ARGV[1]) - 0.5 then
	redis.call('ZREM', KEYS[1], ARGV[2])
end
return redis.status_reply('OK')
