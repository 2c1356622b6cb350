#!lua flags=allow-oom
-- Queues a look-up. KEYS: the queue. ARGV: when the event was made (ms), member.
--
-- The newest time stays. One ahead of this clock counts as now, or it would stand above all that come later.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', math.min(now, tonumber(ARGV[1]))), ARGV[2])
return redis.status_reply('OK')
