#!lua flags=allow-oom
-- Registers topics that no import has brought yet, up to a limit.
--
-- KEYS  1 unknown topics     ARGV  1 the limit, 2 dry run (1: nothing is written), 3… topics
--
-- Returns one character per topic: 1 registered (now or before), 0 there is no room.

local limit, dry_run = tonumber(ARGV[1]), ARGV[2] == '1'
local size = redis.call('SCARD', KEYS[1])
local answers = {}
for i = 3, #ARGV do
	local known = redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 1
	if not known and size < limit then
		size = size + (dry_run and 1 or redis.call('SADD', KEYS[1], ARGV[i]))
		known = true
	end
	answers[#answers + 1] = known and '1' or '0'
end
return table.concat(answers)
