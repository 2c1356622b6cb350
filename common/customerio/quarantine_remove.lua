#!lua flags=allow-oom
-- Removes an entry and its bytes from the count. KEYS: the stream, its totals. ARGV: id.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if entry then
	redis.call('XDEL', KEYS[1], ARGV[1])
	redis.call('HINCRBY', KEYS[2], 'bytes', -#entry[2][8])
end
return redis.status_reply('OK')
