#!lua flags=allow-oom
-- Adds a piece to an import's file of errors. Once a piece has not fitted, none does: no gaps.
--
-- KEYS  1 job, 2 its errors     ARGV  1 piece, 2 bytes at most, 3 kept for (s), 4 the warning when it is cut
--
-- Returns 0 when there is no such import.

local job, errors = KEYS[1], KEYS[2]
local piece, most, kept, warning = unpack(ARGV)
local status, bytes, cut = unpack(redis.call('HMGET', job, 'status', 'errors_bytes', 'errors_cut'))
if not status then
	return 0
end
if cut then
	return 1
end
if tonumber(bytes or 0) + #piece > tonumber(most) then
	redis.call('HSET', job, 'errors_cut', 1, 'warning:errors', warning)
	return 1
end
redis.call('HINCRBY', job, 'errors_bytes', #piece)
redis.call('RPUSH', errors, piece)
redis.call('EXPIRE', errors, kept)
return 1
