#!lua flags=allow-oom
-- Remembers what is about to be sent back to Customer.io, so that its webhook is recognised as an echo.
--
-- KEYS  1 echoes     ARGV  1 recipient, 2 category, 3 out | in, 4 made at (ms)
--
-- A mark is "made_at written_at expected event event …": when the newest such choice was made, when it was last
-- written, how many echoes are still to come, and the newest events that were some.

local ECHO_LIFE_MS = 8 * 86400000
local SAMPLE = 10

local echoes, field, made_at = KEYS[1], table.concat(ARGV, '\n', 1, 3), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local expected, events = 0, ''
local mark = redis.call('HGET', echoes, field)
if mark then
	expected, events = mark:match('^%d+ %d+ (%d+)(.*)$')
end
redis.call('HSET', echoes, field, string.format('%s %.0f %d%s', made_at, now, expected + 1, events))

-- Fields of a hash do not expire by themselves: a few at random, each time, keep the old ones a small part.
local sample = redis.call('HRANDFIELD', echoes, SAMPLE, 'WITHVALUES')
for i = 1, #sample, 2 do
	local written_at = sample[i + 1]:match('^%d+ (%d+)')
	if now - tonumber(written_at) > ECHO_LIFE_MS then
		redis.call('HDEL', echoes, sample[i])
	end
end
