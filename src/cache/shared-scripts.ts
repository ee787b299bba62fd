/**
 * What the store does for the shared cache, in one piece each. Keys, always in this order, so that
 * scripts can share their beginnings:
 *
 *   control  hash: `era`, in which the store's clock and memory are the same; `seq` of the last
 *            invalidation; `token` of the last flight; `bytes` that all pages take
 *   log      sorted set of the last invalidations: "seq time tags" by seq
 *   index    sorted set of the pages' keys by when they expire
 *   sizes    hash of the pages' keys to the bytes that each takes
 *   page     envelope.ts
 *   lease    "token class state owner": who fetches that page
 *
 * A page is replaced only by one that was asked for later, and by none of an earlier flight.
 */

import type { Script } from '../shared-store.ts'
import { headLength } from './envelope.ts'

/** ARGV: the server's mark, an era to begin if need be, an era to end, how long to keep all that. */
const beginning = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local era = redis.call('HGET', KEYS[1], 'era')
if not era or string.sub(era, 1, 8) ~= ARGV[1] or era == ARGV[3] then
  era = ARGV[2]
  redis.call('HSET', KEYS[1], 'era', era)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
`

/** Further ARGV: the last invalidation that is known. Newer ones are answered, the last one first. */
const news = `
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or 0)
local entries = {}
if tonumber(ARGV[5]) < seq then
  entries = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', '(' .. ARGV[5], 'LIMIT', 0, 100)
end
`

/** Asked every second: what was missed, and that what is known here is still true. */
export const syncScript: Script = {
  name: 'cache sync',
  lua: `${beginning}${news}
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {now, era, seq, entries}`
}

/**
 * The page, unless it is the one whose head was seen before; else the lease to fetch it, or who has
 * it. A lease that another one holds for a lower class and has not made use of is taken over.
 *
 * Further ARGV: head seen, lease time, owner, class, largest page, channel, the page's id.
 */
export const approachScript: Script = {
  name: 'cache approach',
  lua: `${beginning}${news}
local kind = redis.call('TYPE', KEYS[5]).ok
local damaged = kind ~= 'none' and kind ~= 'string'
if kind == 'string' then
  damaged = redis.call('STRLEN', KEYS[5]) > tonumber(ARGV[10])
  if not damaged and redis.call('GETRANGE', KEYS[5], 0, ${headLength - 1}) ~= ARGV[6] then
    return {now, era, seq, entries, 'page', redis.call('GET', KEYS[5])}
  end
end
if damaged then redis.call('UNLINK', KEYS[5]) end
local word = damaged and 'damaged' or ''
local lease = redis.pcall('GET', KEYS[6])
if type(lease) == 'string' then
  local token, class, state, owner = string.match(lease, '^(%d+) (%d) (%a+) (%S+)$')
  local weaker = token and state == 'waiting' and tonumber(class) < tonumber(ARGV[9])
  if token and owner ~= ARGV[8] and not weaker then
    return {now, era, seq, entries, 'held', redis.call('PTTL', KEYS[6]), state, word}
  end
  if token and owner ~= ARGV[8] then
    redis.call('PUBLISH', ARGV[11], 'taken ' .. ARGV[12] .. ' ' .. token)
  end
elseif lease then
  redis.call('UNLINK', KEYS[6])
end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
local value = string.format('%d %s waiting %s', token, ARGV[9], ARGV[8])
redis.call('SET', KEYS[6], value, 'PX', ARGV[7])
return {now, era, seq, entries, 'claimed', token, word}`
}

/** The page, for who would not fetch it. Further ARGV: largest page. */
export const peekScript: Script = {
  name: 'cache peek',
  lua: `${beginning}${news}
local isPage = redis.call('TYPE', KEYS[5]).ok == 'string'
if not isPage or redis.call('STRLEN', KEYS[5]) > tonumber(ARGV[6]) then
  return {now, era, seq, entries}
end
return {now, era, seq, entries, redis.call('GET', KEYS[5])}`
}

/**
 * Keeps leases for longer, and takes them again if they are over and nobody has them; for each 0 if
 * somebody has. KEYS: leases. ARGV: owner, lease time, channel, what to say if the first is held, if
 * anything; then of each its token, class and state.
 */
export const holdScript: Script = {
  name: 'cache hold',
  lua: `
local answers = {}
for index, key in ipairs(KEYS) do
  local mine, class, state = ARGV[3 * index + 2], ARGV[3 * index + 3], ARGV[3 * index + 4]
  local lease = redis.call('GET', key)
  local token, owner = string.match(lease or '', '^(%d+) %d %a+ (%S+)$')
  local isTaken = lease and (token ~= mine or owner ~= ARGV[1])
  if not isTaken then
    local value = string.format('%s %s %s %s', mine, class, state, ARGV[1])
    redis.call('SET', key, value, 'PX', ARGV[2])
  end
  answers[index] = isTaken and 0 or 1
end
if ARGV[4] ~= '' and answers[1] == 1 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return answers`
}

/** Gives a lease back. KEYS: lease. ARGV: token, channel, what to say. */
export const releaseScript: Script = {
  name: 'cache release',
  lua: `
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^(%d+) ') ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`
}

/**
 * Keeps a page if it is newer than what is there, makes room for it, gives the lease back.
 *
 * Further ARGV: era of the page, its head, its bytes, how long to keep it, bytes for all pages,
 * token, when it was asked for, channel, what to say.
 */
export const putScript: Script = {
  name: 'cache put',
  lua: `${beginning}
local function forget(key)
  local size = redis.call('HGET', KEYS[4], key)
  if size then redis.call('HINCRBY', KEYS[1], 'bytes', '-' .. size) end
  redis.call('HDEL', KEYS[4], key)
  redis.call('ZREM', KEYS[3], key)
end
local function isNewer()
  if era ~= ARGV[5] then return false end
  if redis.call('TYPE', KEYS[5]).ok ~= 'string' then return true end
  local head = redis.call('GETRANGE', KEYS[5], 0, ${headLength - 1})
  local at, token, itsEra = string.match(head, '^hcp1(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d)(%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d)(.*)$')
  if not at or itsEra ~= era then return true end
  if tonumber(ARGV[10]) > 0 and tonumber(token) > tonumber(ARGV[10]) then return false end
  return tonumber(at) <= tonumber(ARGV[11])
end
local kept = 0
if isNewer() then
  kept = 1
  redis.call('UNLINK', KEYS[5])
  redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[8])
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
    forget(key)
  end
  forget(KEYS[5])
  local size = #ARGV[7] + 2 * #KEYS[5] + 200
  redis.call('HSET', KEYS[4], KEYS[5], size)
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[8]), KEYS[5])
  local bytes = redis.call('HINCRBY', KEYS[1], 'bytes', size)
  while bytes > tonumber(ARGV[9]) do
    local oldest = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
    if not oldest then redis.call('HSET', KEYS[1], 'bytes', 0) break end
    redis.call('UNLINK', oldest)
    forget(oldest)
    bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes'))
  end
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[4], ARGV[4])
end
local lease = redis.call('GET', KEYS[6])
if lease and string.match(lease, '^(%d+) ') == ARGV[10] then redis.call('UNLINK', KEYS[6]) end
redis.call('PUBLISH', ARGV[12], ARGV[13])
return kept`
}

/** Deletes what is no page, if it is still what was seen. KEYS: page. ARGV: head seen. */
export const discardScript: Script = {
  name: 'cache discard',
  lua: `
if redis.call('GETRANGE', KEYS[1], 0, ${headLength - 1}) == ARGV[1] then
  return redis.call('UNLINK', KEYS[1])
end
return 0`
}

/** Tells everybody what is stale. Further ARGV: tags, most entries, channel. */
export const invalidateScript: Script = {
  name: 'cache invalidate',
  lua: `${beginning}
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local entry = string.format('%d %d %s', seq, now, ARGV[5])
redis.call('ZADD', KEYS[2], seq, entry)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[6]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[7], 'news ' .. entry)
return seq`
}
