#!lua flags=allow-oom
-- Sets fields of an import, and that its process is alive. One that is undone stays as it is.
--
-- KEYS  1 job     ARGV  fields and values
--
-- Returns 0 when there is no such import, 2 when it was cancelled and nothing is set: an undo alone may follow.

local status, undo = unpack(redis.call('HMGET', KEYS[1], 'status', 'undo'))
if not status then
	return 0
end
if status == 'cancelled' and not undo and ARGV[1] ~= 'undo' then
	return 2
end
if status ~= 'undone' then
	redis.call('HSET', KEYS[1], 'seen_at', redis.call('TIME')[1] .. '000', unpack(ARGV))
end
return 1
