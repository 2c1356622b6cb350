#!lua flags=allow-oom
-- Queues a look-up. KEYS: the queue. ARGV: when the event was made (ms), member. The newest time stays.
redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2])
return redis.status_reply('OK')
