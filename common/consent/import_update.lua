#!lua flags=allow-oom
-- Sets fields of an import, and that its process is alive. One that is undone stays as it is.
--
-- KEYS  1 job     ARGV  fields and values
--
-- Returns 0 when there is no such import.

local status = redis.call('HGET', KEYS[1], 'status')
if not status then
	return 0
end
if status ~= 'undone' then
	redis.call('HSET', KEYS[1], 'seen_at', redis.call('TIME')[1] .. '000', unpack(ARGV))
end
return 1
