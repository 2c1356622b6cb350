#!lua flags=allow-oom
-- Takes a lease, keeps it, or gives it back: whoever holds it is the only one until it runs out.
--
-- KEYS  1 lease     ARGV  1 who, 2 for how long (ms); 0: give it back
--
-- Returns 1 when it is (or was) who's, 0 when it is another's.

local lease, who, ms = KEYS[1], ARGV[1], ARGV[2]
local holder = redis.call('GET', lease)
if holder and holder ~= who then
	return 0
end
if ms == '0' then
	redis.call('DEL', lease)
else
	redis.call('SET', lease, who, 'PX', ms)
end
return 1
