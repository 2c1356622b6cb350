#!lua flags=allow-oom
-- Registers an import, or one that failed or whose process has gone anew.
--
-- KEYS  1 jobs, 2 job, 3 its errors     ARGV  1 id, 2 kind, 3 now (ms), 4 after how long a silence a process is gone
-- (ms), 5 status: running | queued
--
-- Returns 0 the id is taken, 1 started, 2 started anew.

local jobs, job, errors = KEYS[1], KEYS[2], KEYS[3]
local id, kind, now, silence, first = unpack(ARGV)
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)

local status, undo, seen_at = unpack(redis.call('HMGET', job, 'status', 'undo', 'seen_at'))
if status then
	local is_gone = status == 'running' and clock - tonumber(seen_at or 0) > tonumber(silence)
	if undo or not (status == 'failed' or is_gone) then
		return 0
	end
end
redis.call('DEL', job, errors)
redis.call('HSET', job, 'kind', kind, 'status', first, 'started_at', now, 'seen_at', string.format('%.0f', clock))
redis.call('ZADD', jobs, now, id)
return status and 2 or 1
