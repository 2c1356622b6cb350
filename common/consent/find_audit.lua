#!lua flags=no-writes
-- Looks through a part of the audit, newest first, for one recipient.
--
-- KEYS  1 audit     ARGV  1 recipient, 2 from which id ("+", or "(id" for what is older), 3 how many to look at
--
-- Returns the oldest id looked at (empty at the end of the audit), then id, fields, id, fields … of what was found.

local recipient, from, count = ARGV[1], ARGV[2], tonumber(ARGV[3])
local entries = redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', count)
local found = { #entries == count and entries[#entries][1] or '' }
for _, entry in ipairs(entries) do
	if entry[2][2] == recipient then
		found[#found + 1] = entry[1]
		found[#found + 1] = entry[2]
	end
end
return found
