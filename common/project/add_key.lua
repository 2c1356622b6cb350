-- Adds a key to a project's list, if the project is there and has room. Returns 1, 0 when full, -1 without a project.
-- KEYS: the project, its list of keys
-- ARGV: id, record, how many keys a project may have
if redis.call('EXISTS', KEYS[1]) == 0 then
	return -1
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[3]) then
	return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
