//! The scripts that Redis runs as one step each. Everything that must not be torn apart by another host stands in one of them.
//!
//! Proven on redis-server 7.0: a late holder's write is refused, only the owner lets a lease go, lives are relative.

use redis::Script;

/// KEYS lease, fence · ARGV owner, ttl in ms → the fence, or 0 when somebody else holds it.
const ACQUIRE: &str = r"
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return redis.call('INCR', KEYS[2]) end
return 0";

/// KEYS lease · ARGV owner, ttl in ms → 1 when it is still ours.
const RENEW: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

/// KEYS lease · ARGV owner.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// KEYS token, fence, mirrors… · ARGV generation, token, left in ms, age in ms, by, channel, name, renewed, then a mirror: value,
/// life in ms.
/// A holder whose fence is not the newest one is late, whether or not the newer one has written yet.
const PUT: &str = r"
local newest = tonumber(redis.call('GET', KEYS[2]) or '0')
local written = tonumber(redis.call('HGET', KEYS[1], 'gen') or '0')
local mine = tonumber(ARGV[1])
if mine < newest or mine < written then return 0 end
local t = redis.call('TIME')
local born = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[4])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'gen', ARGV[1], 'tok', ARGV[2], 'by', ARGV[5], 'ren', ARGV[8], 'born', string.format('%.0f', born))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for i = 3, #KEYS do
  local value, life = ARGV[9 + (i - 3) * 2], tonumber(ARGV[10 + (i - 3) * 2])
  if life > 0 then redis.call('SET', KEYS[i], value, 'PX', life) else redis.call('DEL', KEYS[i]) end
end
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1";

/// KEYS token → gen, tok, by, left in ms, age in ms, renewed; or nothing.
const GET: &str = r"
local h = redis.call('HMGET', KEYS[1], 'gen', 'tok', 'by', 'born', 'ren')
if not h[1] or not h[2] then return false end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return {h[1], h[2], h[3] or '', redis.call('PTTL', KEYS[1]), string.format('%.0f', now - tonumber(h[4] or now)), h[5] or '0'}";

/// KEYS token, mirrors… · ARGV channel, name.
const FORGET: &str = r"
local n = redis.call('DEL', unpack(KEYS))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return n";

/// All of them, hashed once.
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) put: Script,
    pub(super) get: Script,
    pub(super) forget: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            acquire: Script::new(ACQUIRE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
            put: Script::new(PUT),
            get: Script::new(GET),
            forget: Script::new(FORGET),
        }
    }
}
