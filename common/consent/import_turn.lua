#!lua flags=allow-oom
-- Takes an import for running, or cancels it.
--
-- KEYS  1 job     ARGV  1 its next status: running | cancelled, 2 now (ms)
--
-- Returns 0 there is no such import, 1 done, 2 it has ended or is being undone.

local status, undo = unpack(redis.call('HMGET', KEYS[1], 'status', 'undo'))
if not status then
	return 0
end
if undo or not (status == 'queued' or status == 'running') then
	return 2
end
redis.call('HSET', KEYS[1], 'status', ARGV[1], 'seen_at', ARGV[2])
if ARGV[1] == 'cancelled' then
	redis.call('HSET', KEYS[1], 'ended_at', ARGV[2])
end
return 1
