#!lua flags=allow-oom
-- Records choices of one partition: the only writer of the opt-out list besides undo_import.lua, and the whole rule by
-- which choices merge.
--
-- A choice is a score: +made_at_ms is out, -made_at_ms is in. Of two, the one with the larger absolute value stays,
-- and of equal ones the positive one. So the order and the number of arrivals do not matter.
--
-- KEYS  1 audit, 2 sendback, 3 echoes, 4 lookups, 5 import, 6 sums, 7 raised, 8… one list per category
-- ARGV  1 act          direct | dated | report, see enum act
--       2 source       3 reference, both for the audit
--       4 event        the webhook's event id
--       5 send back    1: Customer.io is to be told of effective changes
--       6 page         empty: no import; 0: an import without pages; else its page, applied once
--       7 dry run      1: nothing is written
--       8…             one text per list: default (o, i), told to Customer.io (1, 0), kind (see KIND), list
--       then groups    list (1 is KEYS[8]), n, n scores, n recipients; for a direct act only a score's sign counts
--
-- Returns one character per choice, see enum choice_outcome; '-' alone when the import is fenced or the page known.

local AUDIT, SENDBACK, ECHOES, LOOKUPS, IMPORT, SUMS, RAISED = unpack(KEYS, 1, 7)
local LISTS = 7
local act, source, reference, event, send_back, page, dry_run = unpack(ARGV, 1, 7)
local KIND = { marketing = 'm', archived = 'x', transactional = 't', all = 'a', complaint = 'c', note = 'n' }

local FUTURE_MS = 5 * 60000 -- how far ahead a clock may be
local ECHO_LIFE_MS = 8 * 86400000 -- Customer.io sends a webhook again for 7 days
local ECHO_RACE_MS = 15 * 60000 -- an echo is on its way for so long at most, clocks 10 minutes apart included

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function write(...)
	if dry_run ~= '1' then
		redis.call(...)
	end
end

local low, high -- the oldest and the newest `out` that the import wrote
if page ~= '' then
	local known = redis.call('HMGET', IMPORT, 'fence', 'page', 'low', 'high')
	if known[1] or (page ~= '0' and tonumber(page) <= tonumber(known[2] or 0)) then
		return '-'
	end
	low, high = tonumber(known[3] or nil), tonumber(known[4] or nil)
end

local lists, all = {}, nil
local position = 8
for i = 1, #KEYS - LISTS do
	local text = ARGV[position]
	lists[i] = {
		key = KEYS[LISTS + i], out_by_default = text:sub(1, 1) == 'o', told = text:sub(2, 2) == '1',
		kind = text:sub(3, 3), name = text:sub(4), scores = {}, changed = {},
	}
	if lists[i].kind == KIND.all then
		all = lists[i]
	end
	position = position + 1
end

local function text_of(score)
	return score and string.format('%.0f', score) or ''
end

local function stored(list, recipient)
	local score = list.scores[recipient]
	if score == nil then
		score = tonumber(redis.call('ZSCORE', list.key, recipient) or nil) or false
		list.scores[recipient] = score
	end
	return score
end

local function is_out(list, score)
	if not score then
		return list.out_by_default
	end
	return score > 0
end

-- Sums by which the list and the audit can be held against each other (see consent/audit.h): of what silent writes did
-- to the list, and of where the audit's entries came from.
local MODULUS = 2 ^ 48
local silent, audited = 0, 0

local function digest(text)
	return tonumber(redis.sha1hex(text):sub(1, 12), 16)
end

local function digest_choice(list, recipient, score)
	return score and digest(list.name .. '\n' .. recipient .. '\n' .. text_of(score)) or 0
end

local recorded_at = text_of(now) -- of all entries of this run, since the sums need to know it

local function append(call, id, list, recipient, old, new)
	return call('XADD', AUDIT, id, 'recipient', recipient, 'category', list.name, 'old', text_of(old),
		'new', text_of(new), 'source', source, 'reference', reference)
end

local first_entry, last_entry

local function audit(list, recipient, old, new)
	if dry_run == '1' then
		return
	end
	audited = audited + 1
	-- After the clock was put back the newest entry may be ahead of it: then this one comes right behind that.
	last_entry = append(redis.pcall, recorded_at .. '-*', list, recipient, old, new)
	if type(last_entry) ~= 'string' then
		last_entry = append(redis.call, '*', list, recipient, old, new)
		recorded_at = last_entry:match('^%d+')
	end
	first_entry = first_entry or last_entry
end

local function widen(score)
	if score > 0 then
		low, high = math.min(low or score, score), math.max(high or score, score)
	end
end

-- What an import writes and the audit does not show is remembered for its undo: an `in` that was raised would make an
-- older `out` lose, and an `out` that the import has raised twice would not be known as its own. An `out` of others
-- that it only confirms stays, which is safe, and spares the memory of all that the next export says again.
local function remember(list, recipient, old, score)
	local is_own = low and old and low <= old and old <= high
	if page == '' or (score > 0 and not is_own) then
		return
	end
	local pair = list.name .. '\n' .. recipient .. '\n'
	local before = old and redis.call('HGET', RAISED, pair .. text_of(old))
	if before then
		write('HDEL', RAISED, pair .. text_of(old))
	end
	write('HSET', RAISED, pair .. text_of(score), before or text_of(old))
	widen(score)
end

local changes = 0

-- Keeps a score that has won. True when it changes what may be sent.
local function keep(list, recipient, score)
	local old = stored(list, recipient)
	list.scores[recipient] = score
	list.changed[recipient] = score
	if is_out(list, old) == (score > 0) then
		local difference = digest_choice(list, recipient, score) - digest_choice(list, recipient, old)
		silent = (silent + difference) % MODULUS
		remember(list, recipient, old, score)
		return false
	end
	audit(list, recipient, old, score)
	widen(score)
	changes = changes + 1
	if send_back == '1' and list.told then
		write('ZADD', SENDBACK, now, recipient)
	end
	return true
end

-- What somebody does in front of us is in force afterwards, whatever clock had written the score that stands.
local function keep_direct(list, recipient, sign)
	local old = stored(list, recipient)
	local made_at = now
	if old then
		-- An `out` upon one that a report dates to the end of this second counts too: what Customer.io is asked
		-- about that second must not undo it.
		local differs, confirms_ahead = (old > 0) ~= (sign > 0), sign > 0 and old > now
		made_at = math.max(now, math.abs(old) + ((differs or confirms_ahead) and 1 or 0))
	end
	return keep(list, recipient, sign * made_at)
end

-- Opting in to one category while all marketing is out: that one only, not everything that $all had covered. True when
-- it was so.
local function pin(list, recipient)
	if list.kind ~= KIND.marketing or not all or not is_out(all, stored(all, recipient)) then
		return false
	end
	keep_direct(all, recipient, -1)
	for _, other in ipairs(lists) do
		if other.kind == KIND.marketing and other ~= list then
			keep_direct(other, recipient, 1)
		end
	end
	return true
end

-- A clock more than FUTURE_MS ahead is wrong: an `out` then counts as now (and still beats an `in` that was taken from
-- the near future), an `in` is refused.
local function within_time(score, old)
	if math.abs(score) <= now + FUTURE_MS then
		return score
	end
	if score < 0 then
		return nil
	end
	return (old and -old > now) and -old or now
end

local EVENTS_BYTES = 1024 -- about 36 events
event = event:sub(1, 64):gsub('%s', '_')
local has_echoes = act == 'report' and redis.call('EXISTS', ECHOES) == 1

-- Is this report the echo of what was sent back? Then it counts as made when that was made. A mark (see mark_echo.lua)
-- says how many echoes are still to come and which events were some: the same webhook delivered twice is an echo twice.
local function echo_of(list, recipient, score)
	local pair = recipient .. '\n' .. list.name .. '\n'
	local same, opposite = pair .. (score > 0 and 'out' or 'in'), pair .. (score > 0 and 'in' or 'out')
	local marks = redis.call('HMGET', ECHOES, same, opposite)
	if marks[1] then
		local made_at, written_at, expected, events = marks[1]:match('^(%d+) (%d+) (%d+)(.*)$')
		local known = (events .. ' '):find(' ' .. event .. ' ', 1, true)
		if now - tonumber(written_at) > ECHO_LIFE_MS then
			write('HDEL', ECHOES, same)
		elseif known or tonumber(expected) > 0 then
			if not known then
				events = (' ' .. event .. events):sub(1, EVENTS_BYTES)
				write('HSET', ECHOES, same,
					string.format('%s %s %d%s', made_at, written_at, expected - 1, events))
			end
			return score > 0 and tonumber(made_at) or -made_at
		end
	end
	-- A choice of his own: what was sent before it no longer explains what comes after it. An `out` may have
	-- crossed with an `in` that is still on its way, whose echo must not count as a choice then.
	if marks[2] then
		local written_at = marks[2]:match('^%d+ (%d+)')
		if score < 0 or score > tonumber(written_at) + ECHO_RACE_MS then
			write('HDEL', ECHOES, opposite)
		end
	end
	return nil
end

-- Two opposite choices within one second of Customer.io's clock: which was last, only Customer.io knows.
local function ask_when_unclear(recipient, old, score)
	local opposite = old and (old > 0) ~= (score > 0)
	if opposite and math.floor(math.abs(old) / 1000) == math.floor(math.abs(score) / 1000) then
		write('ZADD', LOOKUPS, 'GT', text_of(math.abs(score)), 'preferences\n' .. recipient)
	end
end

local function record_report(list, recipient, score)
	local echo = has_echoes and echo_of(list, recipient, score)
	if not echo then
		ask_when_unclear(recipient, stored(list, recipient), score)
		return score
	end
	-- Customer.io was told something that no longer stands: it has to be told again.
	if list.told and is_out(list, stored(list, recipient)) ~= (echo > 0) then
		write('ZADD', SENDBACK, now, recipient)
	end
	return echo
end

local function record(list, recipient, score)
	if list.kind == KIND.note then
		audit(list, recipient, false, score)
		silent = (silent - digest_choice(list, recipient, score)) % MODULUS -- there is no list that holds it
		return '!'
	end
	if list.kind == KIND.complaint and score < 0 and source ~= 'page' then
		return '?'
	end
	if act == 'direct' then
		local pinned = score < 0 and pin(list, recipient)
		return (keep_direct(list, recipient, score > 0 and 1 or -1) or pinned) and '!' or '='
	end
	if act == 'report' then
		score = record_report(list, recipient, score)
	end
	local old = stored(list, recipient)
	score = within_time(score, old)
	if not score then
		return '?'
	end
	if old and (math.abs(score) < math.abs(old) or (math.abs(score) == math.abs(old) and score <= old)) then
		return '='
	end
	return keep(list, recipient, score) and '!' or '='
end

local outcomes = {}
while position <= #ARGV do
	local list, n = lists[tonumber(ARGV[position])], tonumber(ARGV[position + 1])
	local first_score, first_recipient = position + 2, position + 2 + n
	position = first_recipient + n
	local scores = redis.call('ZMSCORE', list.key, unpack(ARGV, first_recipient, position - 1))
	for i = 1, n do
		local recipient = ARGV[first_recipient + i - 1]
		if list.scores[recipient] == nil then
			list.scores[recipient] = tonumber(scores[i] or nil) or false
		end
	end
	for i = 1, n do
		local recipient, score = ARGV[first_recipient + i - 1], tonumber(ARGV[first_score + i - 1])
		outcomes[#outcomes + 1] = record(list, recipient, score)
	end
end

if dry_run == '1' then
	return table.concat(outcomes)
end

for _, list in ipairs(lists) do
	local pairs_of_list = {}
	for recipient, score in pairs(list.changed) do
		pairs_of_list[#pairs_of_list + 1] = text_of(score)
		pairs_of_list[#pairs_of_list + 1] = recipient
	end
	if #pairs_of_list > 0 then
		redis.call('ZADD', list.key, unpack(pairs_of_list))
	end
end

if silent ~= 0 or audited > 0 then
	local sums = redis.call('HMGET', SUMS, 'silent', 'origin')
	-- A million times what is below 2^32 is still exact.
	local origin = audited * ((digest(source .. '\n' .. reference) + recorded_at) % 2 ^ 32)
	redis.call('HSET', SUMS, 'silent', text_of((tonumber(sums[1] or 0) + silent) % MODULUS),
		'origin', text_of((tonumber(sums[2] or 0) + origin) % MODULUS))
end

if page ~= '' then
	redis.call('HINCRBY', IMPORT, 'choices', #outcomes)
	redis.call('HINCRBY', IMPORT, 'changes', changes)
	if page ~= '0' then
		redis.call('HSET', IMPORT, 'page', page)
	end
	if first_entry then
		redis.call('HSETNX', IMPORT, 'first', first_entry)
		redis.call('HSET', IMPORT, 'last', last_entry)
	end
	if low then
		redis.call('HSET', IMPORT, 'low', text_of(low), 'high', text_of(high))
	end
end
return table.concat(outcomes)
