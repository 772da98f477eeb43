-- SPDX-License-Identifier: Apache-2.0
-- broker.lua - find, check-out and release for nginx, by sub-requests to the vault. A module, so that its tables stay.
local cjson = require "cjson.safe"
local base = "/vault/BeyondTrust/api/public/v3/"
local cookies = {}   -- user -> cookie; one worker, so a table will do
local requests = {}  -- session and credential -> vault request id

local function vault(method, path, user, args, body)
  ngx.req.set_header("Authorization", nil)
  ngx.req.set_header("Cookie", cookies[user])
  ngx.req.set_header("Content-Type", "application/json")
  return ngx.location.capture(base .. path, { method = method, args = args, body = body or "" })
end

local function sign_in(user)
  ngx.req.set_header("Cookie", nil)
  ngx.req.set_header("Authorization", "PS-Auth key=" .. os.getenv("PEER_KEY") .. "; runas=" .. user .. ";")
  local answer = ngx.location.capture(base .. "Auth/SignAppin", { method = ngx.HTTP_POST, body = "" })
  if answer.status ~= 200 then return false end
  local set = answer.header["Set-Cookie"]
  if type(set) == "table" then set = set[1] end
  cookies[user] = set:match("^[^;]+")
  return true
end

local function fail(status)
  ngx.status = status
  ngx.print('{"code":"vault_error"}')
  return ngx.exit(status)
end

return function(operation)
  ngx.req.read_body()
  local body = cjson.decode(ngx.req.get_body_data() or "")
  if not body or not body.session then return fail(400) end
  local session = body.session
  local user = session.user.domain .. "\\" .. session.user.username
  if not cookies[user] and not sign_in(user) then return fail(502) end
  if operation == "find" then
    local answer = vault(ngx.HTTP_GET, "ManagedAccounts", user,
      { systemName = session.jump_item.hostname, type = "system", limit = 1000, offset = 0 })
    if answer.status ~= 200 then return fail(502) end
    local rows = {}
    for _, row in ipairs(cjson.decode(answer.body)) do
      rows[#rows + 1] = { credential_id = row.SystemId .. "." .. row.AccountId, display_value = row.AccountName,
                          kind = "local", account = row.AccountName, system = row.SystemName }
    end
    return ngx.print(cjson.encode({ credentials = rows, age_ms = 0 }))
  end

  local key = session.id .. " " .. body.credential_id
  if operation == "release" then
    local id = requests[key]
    requests[key] = nil
    if not id then return ngx.print('{"released":0,"remaining_holders":0}') end
    local answer = vault(ngx.HTTP_PUT, "Requests/" .. id .. "/Checkin", user, nil, '{"Reason":"released"}')
    if answer.status ~= 204 then return fail(502) end
    return ngx.print('{"released":1,"remaining_holders":0}')
  end

  local system, account = body.credential_id:match("^(%d+)%.(%d+)$")
  local list = vault(ngx.HTTP_GET, "ManagedAccounts", user,
    { systemName = session.jump_item.hostname, type = "system", limit = 1000, offset = 0 })
  if list.status ~= 200 then return fail(502) end
  local found
  for _, row in ipairs(cjson.decode(list.body)) do
    if tostring(row.AccountId) == account then found = row end
  end
  if not found then return fail(404) end
  local made = vault(ngx.HTTP_POST, "Requests", user, nil, cjson.encode({ AccessType = "View", SystemID = tonumber(system),
    AccountID = tonumber(account), DurationMinutes = 60, Reason = "PRA session " .. session.id, ConflictOption = "reuse" }))
  if made.status ~= 200 and made.status ~= 201 then return fail(502) end
  local read = vault(ngx.HTTP_GET, "Credentials/" .. made.body, user, { type = "password" })
  if read.status ~= 200 then return fail(502) end
  requests[key] = made.body
  ngx.print(cjson.encode({ credential_id = body.credential_id, kind = "password", username = found.AccountName,
    account = found.AccountName, password = cjson.decode(read.body),
    lease = { id = key, request_id = tonumber(made.body), expires_at = ngx.utctime() } }))
end
