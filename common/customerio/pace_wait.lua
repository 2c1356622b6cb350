#!lua flags=allow-oom
-- Hands out a turn, or looks at one that was handed out. KEYS: the pace. ARGV: µs between turns, the turn that the
-- caller has (0: none), the longest wait for a new one (µs).
--
-- Returns the turn and how long it is until then (µs); nil: it would take longer than that.
local key, between, mine, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('HMGET', key, 'next', 'hold')
local next_turn, hold = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
if mine == 0 or mine < hold then
	mine = math.max(now, next_turn)
	if mine - now > most then
		return false
	end
	redis.call('HSET', key, 'next', string.format('%.0f', mine + between))
	redis.call('PEXPIRE', key, math.ceil((mine - now) / 1000) + 60000)
end
return {string.format('%.0f', mine), string.format('%.0f', math.max(0, mine - now))}
