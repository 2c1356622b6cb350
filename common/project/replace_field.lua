-- Replaces a field of a hash only while it still holds what the caller read.
-- KEYS: the hash
-- ARGV: field, '1' when it held something, what it held, '1' when it is to hold something, what it is to hold
local present = redis.call('HGET', KEYS[1], ARGV[1])
local expected = ARGV[2] == '1' and ARGV[3]
if present ~= expected then
	return 0
end
if ARGV[4] == '1' then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
else
	redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
