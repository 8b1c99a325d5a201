/**
 * What must happen in one step, as Lua run by Redis, over the keys that bull keeps a queue in: lists `wait` and `active`,
 * sorted sets `delayed`, `completed` and `failed`, one hash a job, `<job>:lock`. Beside them stand the kind's `turn` (who
 * works on an exclusive kind) and `pause` (the job that waits for its next attempt and whom nobody passes), and in the
 * job's hash `starts` and `cancelled`.
 */

/** bull's scores of delayed jobs: milliseconds, shifted by 12 bits that keep jobs of one millisecond apart. */
const scale = "4096";

/** KEYS wait active delayed failed meta-paused turn pause; ARGV prefix token lockMs now exclusive mostLost lostError */
export const claimScript = `
local prefix, token, lockMs, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local exclusive = ARGV[5] == "1"
if redis.call("EXISTS", KEYS[5]) == 1 then return false end
if exclusive then
  local holder = redis.call("GET", KEYS[6])
  if (holder and holder ~= token) or redis.call("EXISTS", KEYS[7]) == 1 then return false end
end
for _, id in ipairs(redis.call("LRANGE", KEYS[2], 0, -1)) do
  local key = prefix .. id
  if redis.call("EXISTS", key .. ":lock") == 0 then
    redis.call("LREM", KEYS[2], 0, id)
    local starts = tonumber(redis.call("HGET", key, "starts") or 0)
    local most = cjson.decode(redis.call("HGET", key, "opts")).attempts + tonumber(ARGV[6])
    if starts >= most then
      redis.call("ZADD", KEYS[4], now, id)
      redis.call("HSET", key, "failedReason", ARGV[7], "finishedOn", now)
    else
      redis.call("RPUSH", KEYS[1], id)
    end
  end
end
local due = redis.call("ZRANGEBYSCORE", KEYS[3], 0, (now + 1) * ${scale} - 1, "LIMIT", 0, 1000)
for _, id in ipairs(due) do
  redis.call("ZREM", KEYS[3], id)
  redis.call("LPUSH", KEYS[1], id)
end
local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[2])
if not id then return false end
local key = prefix .. id
redis.call("SET", key .. ":lock", token, "PX", lockMs)
if exclusive then redis.call("SET", KEYS[6], token, "PX", lockMs) end
redis.call("HSET", key, "processedOn", now)
return {id, redis.call("HINCRBY", key, "starts", 1), redis.call("HGET", key, "data"), redis.call("HGET", key, "opts")}
`;

/**
 * A lock that ran out while nobody took the job (Redis or this process was away) is taken again.
 * KEYS active job lock turn; ARGV token lockMs id exclusive
 */
export const renewScript = `
local token, exclusive = ARGV[1], ARGV[4] == "1"
local turn = redis.call("GET", KEYS[4])
if exclusive and turn and turn ~= token then return "lost" end
if redis.call("HEXISTS", KEYS[2], "cancelled") == 1 then
  if exclusive then redis.call("SET", KEYS[4], token, "PX", ARGV[2]) end
  return "cancelled"
end
local holder = redis.call("GET", KEYS[3])
if holder and holder ~= token then return "lost" end
local isActive = false
for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do isActive = isActive or id == ARGV[3] end
if not isActive then return "lost" end
redis.call("SET", KEYS[3], token, "PX", ARGV[2])
if exclusive then redis.call("SET", KEYS[4], token, "PX", ARGV[2]) end
return "kept"
`;

/**
 * Forgets besides what ended long ago.
 * KEYS wait active delayed completed failed job lock turn pause; ARGV token id state now exclusive error delayMs prefix
 * oldest
 */
export const settleScript = `
local token, id, state, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local exclusive = ARGV[5] == "1"
local isHeld = redis.call("GET", KEYS[7]) == token
if isHeld then
  redis.call("DEL", KEYS[7])
  redis.call("LREM", KEYS[2], 0, id)
  if ARGV[6] ~= "" then redis.call("HSET", KEYS[6], "failedReason", ARGV[6]) end
  if state == "done" then
    redis.call("ZADD", KEYS[4], now, id)
    redis.call("HSET", KEYS[6], "finishedOn", now, "returnvalue", "null")
  elseif state == "failed" then
    redis.call("ZADD", KEYS[5], now, id)
    redis.call("HSET", KEYS[6], "finishedOn", now)
  elseif state == "released" then
    redis.call("RPUSH", KEYS[1], id)
    redis.call("HINCRBY", KEYS[6], "starts", -1)
  elseif exclusive then
    redis.call("RPUSH", KEYS[1], id)
    redis.call("SET", KEYS[9], id, "PX", math.max(1, tonumber(ARGV[7])))
  else
    redis.call("ZADD", KEYS[3], (now + tonumber(ARGV[7])) * ${scale}, id)
  end
end
if exclusive and redis.call("GET", KEYS[8]) == token then redis.call("DEL", KEYS[8]) end
for _, set in ipairs({KEYS[4], KEYS[5]}) do
  for _, old in ipairs(redis.call("ZRANGEBYSCORE", set, 0, ARGV[9], "LIMIT", 0, 1000)) do
    redis.call("ZREM", set, old)
    redis.call("DEL", ARGV[8] .. old)
  end
end
return isHeld and 1 or 0
`;

/** KEYS wait paused active delayed failed job lock pause; ARGV id now */
export const cancelScript = `
local id, now = ARGV[1], ARGV[2]
local found = redis.call("LREM", KEYS[1], 0, id) + redis.call("LREM", KEYS[2], 0, id)
  + redis.call("LREM", KEYS[3], 0, id) + redis.call("ZREM", KEYS[4], id)
if found == 0 then return 0 end
redis.call("DEL", KEYS[7])
if redis.call("GET", KEYS[8]) == id then redis.call("DEL", KEYS[8]) end
redis.call("ZADD", KEYS[5], now, id)
redis.call("HSET", KEYS[6], "cancelled", 1, "finishedOn", now)
return 1
`;

/** KEYS schedules; ARGV key before after. Both are the whole schedule as JSON. */
export const replaceScheduleScript = `
if redis.call("HGET", KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[3])
return 1
`;
