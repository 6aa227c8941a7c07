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

/// KEYS token, fence, gone, mirrors… · ARGV generation, token, left in ms, age in ms, by, channel, name, renewed, mark, then a
/// mirror: value, life in ms.
/// A holder whose fence is not the newest one is late, whether or not the newer one has written yet.
const PUT: &str = r"
local newest = tonumber(redis.call('GET', KEYS[2]) or '0')
local written = tonumber(redis.call('HGET', KEYS[1], 'gen') or '0')
local mine = tonumber(ARGV[1])
if mine < newest or mine < written then return 0 end
local t = redis.call('TIME')
local born = t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[4])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'gen', ARGV[1], 'tok', ARGV[2], 'by', ARGV[5], 'ren', ARGV[8], 'mark', ARGV[9], 'born', string.format('%.0f', born))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HDEL', KEYS[3], 'wiped')
for i = 4, #KEYS do
  local value, life = ARGV[10 + (i - 4) * 2], tonumber(ARGV[11 + (i - 4) * 2])
  if life > 0 then redis.call('SET', KEYS[i], value, 'PX', life) else redis.call('DEL', KEYS[i]) end
end
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1";

/// KEYS token → gen, tok, by, left in ms, age in ms, renewed, how long ago it was found good in ms or -1; or nothing.
const GET: &str = r"
local h = redis.call('HMGET', KEYS[1], 'gen', 'tok', 'by', 'born', 'ren', 'good')
if not h[1] or not h[2] then return false end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return {h[1], h[2], h[3] or '', redis.call('PTTL', KEYS[1]), string.format('%.0f', now - tonumber(h[4] or now)), h[5] or '0',
  h[6] and string.format('%.0f', now - tonumber(h[6])) or '-1'}";

/// KEYS gone, token, mirrors… · ARGV channel, name, mark or nothing, its life in ms, how long ago it was wiped in ms or -1, how long a wipe is remembered in ms,
/// how long ago the secret was replaced in ms or -1, how long that is remembered in ms.
/// The token that stands there knows its own mark and life; what was known of an earlier one stays where there is nothing better.
const FORGET: &str = r"
local mark, left = ARGV[3], tonumber(ARGV[4])
local there, life = redis.call('HGET', KEYS[2], 'mark'), redis.call('PTTL', KEYS[2])
if there and there ~= '' and life > 0 then mark, left = there, life end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local keep = math.max(redis.call('PTTL', KEYS[1]), 0)
if mark ~= '' and left > 0 then
  redis.call('HSET', KEYS[1], 'mark', mark, 'dies', string.format('%.0f', now + left))
  keep = math.max(keep, left)
end
local ago = tonumber(ARGV[5])
if ago >= 0 then
  redis.call('HSET', KEYS[1], 'wiped', string.format('%.0f', now - ago))
  keep = math.max(keep, tonumber(ARGV[6]) - ago)
else
  redis.call('HDEL', KEYS[1], 'wiped')
end
local since = tonumber(ARGV[7])
if since >= 0 then
  redis.call('HSET', KEYS[1], 'replaced', string.format('%.0f', now - since))
  keep = math.max(keep, tonumber(ARGV[8]) - since)
end
if keep > 0 then redis.call('PEXPIRE', KEYS[1], keep) end
local n = redis.call('DEL', unpack(KEYS, 2))
redis.call('PUBLISH', ARGV[1], ARGV[2])
return n";

/// KEYS gone → mark or nothing, what was left of its life in ms, how long ago it was wiped in ms or -1, how long ago the secret
/// was replaced in ms or -1; or nothing.
const GONE: &str = r"
local h = redis.call('HMGET', KEYS[1], 'mark', 'dies', 'wiped', 'replaced')
if not h[1] and not h[3] and not h[4] then return false end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function ago(at) return at and string.format('%.0f', math.max(now - tonumber(at), 0)) or '-1' end
return {h[1] or '', string.format('%.0f', math.max(tonumber(h[2] or now) - now, 0)), ago(h[3]), ago(h[4])}";

/// KEYS token · ARGV mark, channel, name → 1 when it is the one that stands there.
const GOOD: &str = r"
if redis.call('HGET', KEYS[1], 'mark') ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'good', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1";

/// KEYS key of fingerprints · ARGV one's own → the one that all use.
const PRINTS: &str = r"
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])";

/// All of them, hashed once.
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) put: Script,
    pub(super) get: Script,
    pub(super) forget: Script,
    pub(super) gone: Script,
    pub(super) good: Script,
    pub(super) prints: Script,
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
            gone: Script::new(GONE),
            good: Script::new(GOOD),
            prints: Script::new(PRINTS),
        }
    }
}
