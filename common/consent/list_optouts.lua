#!lua flags=no-writes
-- A page of one list, newest first; of one time, in reverse bytes order, as the sorted set holds them.
--
-- KEYS  1 list     ARGV  1 how many, 2 score and 3 recipient of the row before (both empty: from the newest)
--
-- Returns how many are out in all, then recipient, score, recipient, score …

local list, limit, score, recipient = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3]
local total = redis.call('ZCOUNT', list, '(0', '+inf')

-- Not Lua's own comparison: that follows the server's locale.
local function is_less(a, b)
	for i = 1, math.min(#a, #b) do
		local x, y = a:byte(i), b:byte(i)
		if x ~= y then
			return x < y
		end
	end
	return #a < #b
end

-- The rank of the first row behind (score, recipient), found by halving: a million rows of one score cost 20 steps.
local function rank_behind()
	local low = redis.call('ZCOUNT', list, '(' .. score, '+inf')
	local high = low + redis.call('ZCOUNT', list, score, score)
	while low < high do
		local middle = math.floor((low + high) / 2)
		if is_less(redis.call('ZREVRANGE', list, middle, middle)[1], recipient) then
			high = middle
		else
			low = middle + 1
		end
	end
	return low
end

local first = score ~= '' and rank_behind() or 0
if first >= total then
	return { total }
end
local rows = redis.call('ZREVRANGE', list, first, math.min(first + limit, total) - 1, 'WITHSCORES')
table.insert(rows, 1, total)
return rows
