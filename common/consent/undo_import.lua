#!lua flags=allow-oom
-- Takes back a part of what an import wrote to one partition. Besides record_choices.lua the only writer of the list.
--
-- Each write of the import led from a score to another: what the audit shows of it is given here, the rest is in
-- `raised`. Where the present score is one to which such a step led, the step is gone back, and so on from there; where
-- somebody else has written since, nothing matches and it stays.
--
-- KEYS  1 audit, 2 sendback, 3 import, 4 raised, 5 sums, 6… one list per category
-- ARGV  1 import       its id, for the audit
--       2, 3           the audit entry down to which it was undone before this, and after: a part is done once, whoever
--                      repeats it
--       4…             one text per list, see record_choices.lua
--       then steps     list (1 is KEYS[6]), recipient, the score it led to, the score before (empty: no choice); or
--                      "raised" in its place: that step is in `raised`
--
-- Returns how many choices were put back; -1 when the undo was elsewhere.

local AUDIT, SENDBACK, IMPORT, RAISED, SUMS = unpack(KEYS, 1, 5)
local LISTS = 5
local import, before, after = unpack(ARGV, 1, 3)
local SOURCE = 'undo'

if (redis.call('HGET', IMPORT, 'undo') or '') ~= before then
	return -1
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local lists = {}
local position = 4
for i = 1, #KEYS - LISTS do
	local text = ARGV[position]
	lists[i] = {
		key = KEYS[LISTS + i], out_by_default = text:sub(1, 1) == 'o', told = text:sub(2, 2) == '1',
		name = text:sub(4),
	}
	position = position + 1
end

local function text_of(score)
	return score and string.format('%.0f', score) or ''
end

local function is_out(list, score)
	if not score then
		return list.out_by_default
	end
	return score > 0
end

-- Sums, see consent/audit.h.
local MODULUS = 2 ^ 48
local silent, audited = 0, 0

local function digest(text)
	return tonumber(redis.sha1hex(text):sub(1, 12), 16)
end

local function digest_choice(list, recipient, score)
	return score and digest(list.name .. '\n' .. recipient .. '\n' .. text_of(score)) or 0
end

local recorded_at = text_of(now) -- as in record_choices.lua

local function append(call, id, list, recipient, old, new)
	return call('XADD', AUDIT, id, 'recipient', recipient, 'category', list.name, 'old', text_of(old),
		'new', text_of(new), 'source', SOURCE, 'reference', import)
end

local function audit(list, recipient, old, new)
	audited = audited + 1
	if type(append(redis.pcall, recorded_at .. '-*', list, recipient, old, new)) ~= 'string' then
		recorded_at = append(redis.call, '*', list, recipient, old, new):match('^%d+')
	end
end

local function raised_field(list, recipient, score)
	return list.name .. '\n' .. recipient .. '\n' .. text_of(score)
end

local has_raised = redis.call('EXISTS', RAISED) == 1

-- From a score back over the steps in `raised`; each is used up.
local function go_back(list, recipient, score)
	while has_raised and score do
		local field = raised_field(list, recipient, score)
		local old = redis.call('HGET', RAISED, field)
		if not old then
			break
		end
		redis.call('HDEL', RAISED, field)
		score = tonumber(old) or false
	end
	return score
end

local function put_back(list, recipient, old, new)
	if new then
		redis.call('ZADD', list.key, text_of(new), recipient)
	else
		redis.call('ZREM', list.key, recipient)
	end
	if is_out(list, old) == is_out(list, new) then
		silent = (silent + digest_choice(list, recipient, new) - digest_choice(list, recipient, old)) % MODULUS
		return
	end
	audit(list, recipient, old, new)
	if list.told then
		redis.call('ZADD', SENDBACK, now, recipient)
	end
end

local function undo(list, recipient, led_to, was)
	local present = tonumber(redis.call('ZSCORE', list.key, recipient) or nil) or false
	local score = go_back(list, recipient, present)
	if was == 'raised' then
		-- One at which nobody stands any more is of no use.
		redis.call('HDEL', RAISED, raised_field(list, recipient, led_to))
	elseif score == led_to then
		score = go_back(list, recipient, tonumber(was) or false)
	end
	if score == present then
		return 0
	end
	put_back(list, recipient, present, score)
	return 1
end

local undone = 0
for i = position, #ARGV, 4 do
	local list, recipient, led_to, was = unpack(ARGV, i, i + 3)
	undone = undone + undo(lists[tonumber(list)], recipient, tonumber(led_to), was)
end

if silent ~= 0 or audited > 0 then
	local sums = redis.call('HMGET', SUMS, 'silent', 'origin')
	local origin = audited * ((digest(SOURCE .. '\n' .. import) + recorded_at) % 2 ^ 32)
	redis.call('HSET', SUMS, 'silent', text_of((tonumber(sums[1] or 0) + silent) % MODULUS),
		'origin', text_of((tonumber(sums[2] or 0) + origin) % MODULUS))
end

redis.call('HSET', IMPORT, 'undo', after)
redis.call('HINCRBY', IMPORT, 'undone', undone)
return undone
