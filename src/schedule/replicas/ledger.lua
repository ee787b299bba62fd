-- The ledger that replicas share, as it lives in the store. One script, so that every exchange is
-- atomic; the store's own TIME, so that nobody's clock matters. membership.ts has the argument why
-- this keeps the law; ledger.ts the rule itself: a slot is taken before a call is sent and comes
-- free one window after its answer.
--
-- KEYS: meta (hash), slots (sorted set: `<replica>|<serial>` by the instant it comes free),
-- members (hash: replica -> JSON). ARGV[1]: the request, JSON. Instants are whole milliseconds.

local META, SLOTS, MEMBERS = KEYS[1], KEYS[2], KEYS[3]
local request = cjson.decode(ARGV[1])

local function microseconds()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function tell(channel, message)
  redis.call('PUBLISH', channel, message)
end

local exact = microseconds() / 1000
-- Rounded so that nothing comes free early.
local now, nowUp = math.floor(exact), math.ceil(exact)

local LEVELS = 3
-- One grant in so many goes to each level that waits; fair-queue.ts has the same within a replica.
local MOST_PASSED_OVER = 18
-- A replica that was called has so long to come.
local CALLED_MS = 50

local function refuse(reason)
  return cjson.encode({ refused = reason, time = now })
end

-- What was sent long ago must not be done now: its sender counts on that it was not (membership.ts).
if request.validUntil and now > request.validUntil then return refuse('late') end

-- ---------------------------------------------------------------- state

local function metaNumber(field)
  return tonumber(redis.call('HGET', META, field) or 0)
end

local function loadMembers()
  local members, flat = {}, redis.call('HGETALL', MEMBERS)
  for at = 1, #flat, 2 do members[flat[at]] = cjson.decode(flat[at + 1]) end
  return members
end

local function save(member)
  redis.call('HSET', MEMBERS, member.id, cjson.encode(member))
end

local function isSilent(member)
  return now - member.seenAt > member.silentMs
end

-- From when on a silent member, and every call of its own share, is certainly over.
local function isForgotten(member)
  local over = member.silentMs + member.graceMs + 2 * (member.leaseMs + member.windowMs) + 5000
  return now - member.seenAt > over
end

local function waitsAt(member, level)
  return member.wants and member.wants[level] > 0 and not isSilent(member)
end

local function ownerOf(slot)
  return string.match(slot, '^(.*)|')
end

-- By replica, how many slots it holds.
local function heldBy()
  local held = {}
  for _, slot in ipairs(redis.call('ZRANGE', SLOTS, 0, -1)) do
    local owner = ownerOf(slot)
    held[owner] = (held[owner] or 0) + 1
  end
  return held
end

-- Replicas with other settings, as in a rolling change: the stricter ones hold.
local function strictest(members)
  local limit, windowMs = request.limit, request.windowMs
  for _, member in pairs(members) do
    limit = math.min(limit, member.limit)
    windowMs = math.max(windowMs, member.windowMs)
  end
  return limit, windowMs
end

local function absentShare()
  return now < metaNumber('absentUntil') and metaNumber('absentShare') or 0
end

-- ---------------------------------------------------------------- epochs

-- A memory that starts empty: nothing is granted until every call that an earlier one may have
-- granted is out of the window; what nobody who comes back accounts for stays set aside for as long
-- as somebody could be spending it alone.
local function holdAll()
  local lastingMs = request.leaseMs + request.windowMs + request.guardMs
  local aloneMs = request.graceMs + 2 * (request.silentMs + lastingMs) + 5000
  local heldUntil = math.max(metaNumber('heldUntil'), nowUp + lastingMs)
  redis.call('HSET', META, 'heldUntil', heldUntil, 'absentUntil', nowUp + aloneMs, 'fresh', 0)
  redis.call('HSET', META, 'absentShare', request.limit)
end

local function hasTypes()
  local types = { [META] = 'hash', [SLOTS] = 'zset', [MEMBERS] = 'hash' }
  for key, expected in pairs(types) do
    local found = redis.call('TYPE', key).ok
    if found ~= expected and found ~= 'none' then return false end
  end
  return true
end

-- Numbers that anybody could have meant: no instant lies further ahead than all we ever wait for.
local function hasSaneNumbers()
  local latest = now + 86400000 + 4 * (request.graceMs + request.leaseMs + request.windowMs)
  for _, field in ipairs({ 'heldUntil', 'absentUntil', 'pausedUntil' }) do
    local value = redis.call('HGET', META, field)
    if value and not (tonumber(value) and tonumber(value) <= latest) then return false end
  end
  for _, field in ipairs({ 'absentShare', 'turn', 'serial', 'version', 'most', 'fresh' }) do
    local value = redis.call('HGET', META, field)
    if value and not string.match(value, '^%d+$') then return false end
  end
  for level = 1, LEVELS do
    local value = redis.call('HGET', META, 'passed' .. level)
    if value and not string.match(value, '^%d+$') then return false end
  end
  local last = redis.call('ZRANGE', SLOTS, -1, -1, 'WITHSCORES')[2]
  return not last or tonumber(last) <= latest
end

local function hasSaneMembers()
  local isReadable, members = pcall(loadMembers)
  if not isReadable then return false end
  for id, member in pairs(members) do
    if type(member) ~= 'table' or member.id ~= id or type(member.seenAt) ~= 'number' then
      return false
    end
  end
  return true
end

-- Whether all that was stored is still there, and can be read: a store is open to others, it may
-- throw a key away that it has no room for, and it may be given back an older memory. Only `meta`
-- says how much there has to be, and an exchange that it has seen before is none of an older one.
local function isWhole(seen)
  if not hasTypes() or redis.call('HGET', META, 'epoch') == false then return false end
  if not hasSaneNumbers() or not hasSaneMembers() then return false end
  return redis.call('ZCARD', SLOTS) == metaNumber('slots')
    and redis.call('HLEN', MEMBERS) == metaNumber('members')
    and metaNumber('version') >= seen
end

-- To be called when an exchange is done.
local function seal()
  redis.call('HINCRBY', META, 'version', 1)
  local slots, members = redis.call('ZCARD', SLOTS), redis.call('HLEN', MEMBERS)
  redis.call('HSET', META, 'slots', slots, 'members', members)
end

local function found()
  local isKnown = redis.call('EXISTS', META, SLOTS, MEMBERS) > 0 or request.former ~= ''
  redis.call('DEL', META, SLOTS, MEMBERS)
  redis.call('HSET', META, 'epoch', request.newEpoch, 'runId', request.runId, 'fresh', 1)
  if isKnown then
    holdAll()
  else
    -- Whoever lost the memory just now, and is connected, will have come back by then.
    redis.call('HSET', META, 'heldUntil', nowUp + request.freshHoldMs)
  end
end

-- Shares of an earlier epoch that are accounted for, because who held them is here.
local function account(epoch)
  if request.former == '' or request.former == epoch then return end
  if metaNumber('fresh') == 1 then holdAll() end
  redis.call('HSET', META, 'claim:' .. request.id, request.claim)
  local claimed, flat = 0, redis.call('HGETALL', META)
  for at = 1, #flat, 2 do
    if string.sub(flat[at], 1, 6) == 'claim:' then claimed = claimed + tonumber(flat[at + 1]) end
  end
  redis.call('HSET', META, 'absentShare', math.max(request.limit - claimed, 0))
end

-- ---------------------------------------------------------------- what an exchange does

-- The part of the limit that this replica may spend when it is cut off: so little that all that
-- anybody may believe to have is never more than the limit, lost answers included.
local function shareOf(member, members, limit)
  local others, living = absentShare(), 1
  for id, other in pairs(members) do
    if id ~= member.id then
      others = others + other.share
      if not isSilent(other) then living = living + 1 end
    end
  end
  return math.max(math.min(math.floor(limit / living), limit - others), 0)
end

local function take(list)
  return type(list) == 'table' and list or {}
end

-- To be called before anything else is written: a script that has written something may go on when
-- the store's memory is full, and this ledger is too small to matter there. Else an exchange with
-- something to tell would break off and one without would not.
local function freeSlots()
  redis.call('ZREMRANGEBYSCORE', SLOTS, '-inf', now)
end

local function firstFree()
  return redis.call('ZRANGE', SLOTS, 0, 0)[1]
end

local function waits(member)
  return waitsAt(member, 1) or waitsAt(member, 2) or waitsAt(member, 3)
end

-- Who waits has set its alarm for the first slot to come free, so it is told if that is another one.
local function settle(members, windowMs)
  local first = firstFree()
  for _, one in ipairs(take(request.settled)) do
    local freeAt = nowUp - math.floor(one[2]) + windowMs + request.guardMs
    redis.call('ZADD', SLOTS, 'XX', freeAt, request.id .. '|' .. one[1])
  end
  if firstFree() == first then return end
  for id, member in pairs(members) do
    if id ~= request.id and waits(member) then tell(request.channel .. id, 'turn') end
  end
end

local function release()
  for _, serial in ipairs(take(request.released)) do
    redis.call('ZREM', SLOTS, request.id .. '|' .. serial)
  end
end

local function pause()
  if not request.pauseMs then return end
  local pausedUntil = math.max(metaNumber('pausedUntil'), nowUp + math.ceil(request.pauseMs))
  redis.call('HSET', META, 'pausedUntil', pausedUntil)
end

-- A replica's own calls of the last window, which it knows better than this memory.
local function publish()
  if not request.keepsSlots then
    for _, slot in ipairs(redis.call('ZRANGE', SLOTS, 0, -1)) do
      if ownerOf(slot) == request.id then redis.call('ZREM', SLOTS, slot) end
    end
  end
  for _, one in ipairs(take(request.slots)) do
    redis.call('ZADD', SLOTS, nowUp + math.ceil(one[2]), request.id .. '|' .. one[1])
  end
end

-- ---------------------------------------------------------------- whose turn it is

-- The end of the window is closed to some levels: reserves.ts says by which part, to each.
local function isOpen(level, used, size)
  return used < size - math.floor(size * request.closed[level])
end

local function passedOver(level)
  return metaNumber('passed' .. level)
end

-- The one that was served longest ago.
local function nextAt(level, members)
  local best
  for _, member in pairs(members) do
    if waitsAt(member, level) and (not best or member.turn < best.turn) then best = member end
  end
  return best
end

local function nextOf(members, used, size)
  local longest, overdue = MOST_PASSED_OVER - 1, nil
  for level = 1, LEVELS do
    if passedOver(level) > longest and nextAt(level, members) then
      longest, overdue = passedOver(level), level
    end
  end
  if overdue then return nextAt(overdue, members), overdue end
  for level = 1, LEVELS do
    local member = isOpen(level, used, size) and nextAt(level, members)
    if member then return member, level end
  end
end

local function countPassedOver(served, members)
  for level = 1, LEVELS do
    local passed = level ~= served and nextAt(level, members) and passedOver(level) + 1 or 0
    redis.call('HSET', META, 'passed' .. level, passed)
  end
end

local function grant(member, level, leasedMs)
  local serial = redis.call('HINCRBY', META, 'serial', 1)
  redis.call('ZADD', SLOTS, nowUp + leasedMs, member.id .. '|' .. serial)
  member.turn = redis.call('HINCRBY', META, 'turn', 1)
  return { serial, level }
end

-- Calls a replica whose turn it is; false if it was called before and did not come.
local function call(member)
  if member.calledAt and now - member.calledAt > CALLED_MS then
    member.wants, member.calledAt = nil, nil
    save(member)
    return false
  end
  if not member.calledAt then
    member.calledAt = now
    save(member)
    tell(request.channel .. member.id, 'turn')
  end
  return true
end

-- Gives the free slots to whoever is next: to this replica, or keeps them a moment for another.
local function distribute(me, members, size, windowMs)
  local grants, used, isBehind = {}, redis.call('ZCARD', SLOTS), false
  local leasedMs = request.leaseMs + windowMs + request.guardMs
  local turn = metaNumber('turn')
  while used < size do
    local member, level = nextOf(members, used, size)
    if not member then break end
    if member.id == me.id then
      grants[#grants + 1] = grant(me, level, leasedMs)
      countPassedOver(level, members)
      me.wants[level] = me.wants[level] - 1
      used = used + 1
    elseif call(member) then
      -- Only for this sharing out, not saved: it will ask for itself.
      turn = turn + 1
      member.turn = turn
      member.wants[level] = member.wants[level] - 1
      used, isBehind = used + 1, true
    end
  end
  local most = math.max(metaNumber('most'), redis.call('ZCARD', SLOTS))
  redis.call('HSET', META, 'most', most)
  return grants, isBehind
end

-- What may be held at all: the limit without what is set aside for who is out of reach. A silent
-- member's own slots are part of its share, because it lets them come free before it spends alone.
local function sizeFor(members, limit)
  local size, held = limit - absentShare(), nil
  for _, member in pairs(members) do
    if isSilent(member) then
      held = held or heldBy()
      size = size - math.max(member.share - (held[member.id] or 0), 0)
    end
  end
  return size
end

-- ---------------------------------------------------------------- answers

local function freeTimesOfOthers(id)
  local times, flat = {}, redis.call('ZRANGE', SLOTS, 0, -1, 'WITHSCORES')
  for at = 1, #flat, 2 do
    if ownerOf(flat[at]) ~= id then times[#times + 1] = tonumber(flat[at + 1]) - now end
  end
  return times
end

local function reportOf(members)
  local report, waiting = {}, 0
  local held = heldBy()
  for id, member in pairs(members) do
    local silentMs = now - member.seenAt
    local entry = { id = id, share = member.share, seenMs = silentMs, held = held[id] or 0 }
    entry.silent = isSilent(member)
    report[#report + 1] = entry
    if id ~= request.id and waits(member) then waiting = waiting + 1 end
  end
  return report, waiting
end

-- By team, how many slots it holds on other replicas. Of a silent one that is what it was when it
-- was last heard: with that every team would seem to hold more than its share of what is left, and
-- the end of the window would be closed to all of them.
local function teamsOfOthers(members)
  local teams = {}
  for id, member in pairs(members) do
    if id ~= request.id and not isSilent(member) then
      for team, held in pairs(take(member.teams)) do teams[team] = (teams[team] or 0) + held end
    end
  end
  return teams
end

local function nextFreeMs(heldUntil, pausedUntil)
  local first = redis.call('ZRANGE', SLOTS, 0, 0, 'WITHSCORES')
  local freeMs = first[2] and tonumber(first[2]) - now or 0
  return math.max(freeMs, heldUntil - now, pausedUntil - now)
end

local function exchange(me, members, limit, windowMs)
  freeSlots()
  local heldUntil, pausedUntil = metaNumber('heldUntil'), metaNumber('pausedUntil')
  local grants, isBehind = {}, false
  local size = math.min(sizeFor(members, limit), request.workingLimit)
  if now >= heldUntil and now >= pausedUntil then
    grants, isBehind = distribute(me, members, size, windowMs)
  end
  local report, waiting = reportOf(members)
  return {
    time = now,
    epoch = redis.call('HGET', META, 'epoch'),
    share = me.told,
    grants = grants,
    used = redis.call('ZCARD', SLOTS),
    size = size,
    most = metaNumber('most'),
    nextMs = isBehind and CALLED_MS or nextFreeMs(heldUntil, pausedUntil),
    heldMs = math.max(heldUntil - now, 0),
    pausedMs = math.max(pausedUntil - now, 0),
    others = freeTimesOfOthers(me.id),
    teams = teamsOfOthers(members),
    waiting = waiting,
    members = report
  }
end

local function forgetOld(members)
  for id, member in pairs(members) do
    if id ~= request.id and isForgotten(member) then
      redis.call('HDEL', MEMBERS, id)
      members[id] = nil
    end
  end
end

local function greet(me)
  me.seenAt, me.calledAt = now, nil
  me.limit, me.windowMs = request.limit, request.windowMs
  me.leaseMs, me.silentMs, me.graceMs = request.leaseMs, request.silentMs, request.graceMs
  me.wants, me.teams = request.wants, request.teams
end

local function tellShare(me, members, limit)
  me.told = shareOf(me, members, limit)
  -- It believes what it says until it hears the answer, which may be lost.
  me.share = math.max(me.told, request.share)
end

-- ---------------------------------------------------------------- the exchanges

-- What every member does when it comes: `tellsNews` carries out what it has to say besides.
local function attend(me, members, tellsNews)
  forgetOld(members)
  greet(me)
  local limit, windowMs = strictest(members)
  tellShare(me, members, limit)
  tellsNews(windowMs)
  local answer = exchange(me, members, limit, windowMs)
  -- Last, so that an exchange that breaks off has joined nobody.
  save(me)
  seal()
  answer.version = metaNumber('version')
  return cjson.encode(answer)
end

local function join()
  local isSame = hasTypes() and redis.call('HGET', META, 'epoch') == request.former
  if not isWhole(isSame and request.seen or 0) then found()
  elseif redis.call('HGET', META, 'runId') ~= request.runId then found() end
  freeSlots()
  account(redis.call('HGET', META, 'epoch'))
  local members = loadMembers()
  local me = { id = request.id, turn = metaNumber('turn'), nonce = request.nonce, seq = 0 }
  members[me.id] = me
  return attend(me, members, publish)
end

-- Who asks, if it has joined this memory and not begun anew since.
local function asker(members)
  local me = members[request.id]
  return me and me.nonce == request.nonce and me or nil
end

local function sync()
  if not hasTypes() then return refuse('epoch') end
  if redis.call('HGET', META, 'epoch') ~= request.epoch then return refuse('epoch') end
  if not isWhole(request.seen) then
    -- Nothing is believed any more; whoever joins next begins anew, and holds.
    redis.call('HDEL', META, 'epoch')
    return refuse('epoch')
  end
  local members = loadMembers()
  local me = asker(members)
  if not me then return refuse('member') end
  if request.seq <= me.seq then return refuse('late') end
  freeSlots()
  me.seq = request.seq
  return attend(me, members, function(windowMs)
    settle(members, windowMs)
    release()
    pause()
  end)
end

-- Signs off: what it was told to have goes back to the others, its calls stay until they are free.
local function leave()
  if redis.call('HGET', META, 'epoch') ~= request.epoch then return refuse('epoch') end
  local members = loadMembers()
  if not asker(members) then return refuse('member') end
  local _, windowMs = strictest(members)
  freeSlots()
  settle(members, windowMs)
  release()
  redis.call('HDEL', MEMBERS, request.id)
  members[request.id] = nil
  for id in pairs(members) do tell(request.channel .. id, 'turn') end
  seal()
  return cjson.encode({ time = now, isLast = next(members) == nil })
end

-- Somebody saw this memory's clock jump: what it says about time is not to be believed.
local function reset()
  if redis.call('HGET', META, 'epoch') ~= request.epoch then return refuse('epoch') end
  redis.call('HDEL', META, 'epoch')
  return cjson.encode({ time = now })
end

-- What time it is here, which has to be known before `validUntil` can be said.
local function hello()
  return cjson.encode({ time = now })
end

local exchanges = { hello = hello, join = join, sync = sync, leave = leave, reset = reset }
return exchanges[request.op]()
