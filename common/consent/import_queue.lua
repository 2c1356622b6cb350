#!lua flags=allow-oom
-- Puts a job into a queue, unless it waits there already.
--
-- KEYS  1 queue     ARGV  1 job

if not redis.call('LPOS', KEYS[1], ARGV[1]) then
	redis.call('RPUSH', KEYS[1], ARGV[1])
end
