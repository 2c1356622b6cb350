#!lua flags=allow-oom
-- From here on record_choices.lua refuses the import in this partition.
--
-- KEYS  1 import

return redis.call('HSET', KEYS[1], 'fence', 1)
