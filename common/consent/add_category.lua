-- Adds a category while there are no others than the caller knows. None is ever removed, so their number tells.
--
-- KEYS  1 categories     ARGV  1 how many the caller knows, 2 key, 3 JSON
--
-- Returns 1, or 0 when there is another, or one of that key.

if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[1]) then
	return 0
end
return redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
