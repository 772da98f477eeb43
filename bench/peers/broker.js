// SPDX-License-Identifier: Apache-2.0
// broker.js - find, check-out and release with Node's own http and https.
"use strict";
const fs = require("fs");
const http = require("http");
const https = require("https");

const vault = new URL(process.env.PEER_VAULT);
const agent = new https.Agent({ keepAlive: true, maxSockets: 4096, maxFreeSockets: 4096, ca: fs.readFileSync(process.env.PEER_CA) });
const base = "/BeyondTrust/api/public/v3/";
const cookies = new Map();
const requests = new Map();

function call(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const request = https.request({ agent, host: vault.hostname, port: vault.port, method, path: base + path,
      headers: { ...headers, "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) } }, (answer) => {
      let got = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => { got += part; });
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text: got }));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(text);
  });
}

async function signIn(user) {
  if (cookies.has(user)) return cookies.get(user);
  const answer = await call("POST", "Auth/SignAppin", { Authorization: `PS-Auth key=${process.env.PEER_KEY}; runas=${user};` });
  if (answer.status !== 200) throw new Error("sign-in refused");
  const cookie = { Cookie: answer.headers["set-cookie"][0].split(";")[0] };
  cookies.set(user, cookie);
  return cookie;
}

async function list(host, cookie) {
  const answer = await call("GET", `ManagedAccounts?systemName=${encodeURIComponent(host)}&type=system&limit=1000&offset=0`, cookie);
  if (answer.status !== 200) throw new Error("no list");
  return JSON.parse(answer.text);
}

const operations = {
  async find(o, cookie) {
    const rows = await list(o.session.jump_item.hostname, cookie);
    return { credentials: rows.map((row) => ({ credential_id: `${row.SystemId}.${row.AccountId}`, display_value: row.AccountName,
      kind: "local", account: row.AccountName, system: row.SystemName })), age_ms: 0 };
  },
  async checkout(o, cookie) {
    const rows = await list(o.session.jump_item.hostname, cookie);
    const row = rows.find((one) => `${one.SystemId}.${one.AccountId}` === o.credential_id);
    if (!row) throw new Error("not found");
    const made = await call("POST", "Requests", cookie, { AccessType: "View", SystemID: row.SystemId, AccountID: row.AccountId,
      DurationMinutes: 60, Reason: `PRA session ${o.session.id}`, ConflictOption: "reuse" });
    if (made.status !== 200 && made.status !== 201) throw new Error("no request");
    const read = await call("GET", `Credentials/${made.text}?type=password`, cookie);
    if (read.status !== 200) throw new Error("no credential");
    requests.set(`${o.session.id} ${o.credential_id}`, made.text);
    return { credential_id: o.credential_id, kind: "password", username: row.AccountName, account: row.AccountName,
      password: JSON.parse(read.text), lease: { id: o.session.id, request_id: Number(made.text), expires_at: new Date().toISOString() } };
  },
  async release(o, cookie) {
    const key = `${o.session.id} ${o.credential_id}`;
    const id = requests.get(key);
    requests.delete(key);
    if (!id) return { released: 0, remaining_holders: 0 };
    const answer = await call("PUT", `Requests/${id}/Checkin`, cookie, { Reason: "released" });
    if (answer.status !== 204) throw new Error("no check-in");
    return { released: 1, remaining_holders: 0 };
  },
};

async function answer(request, response, text) {
  const run = operations[request.url.split("/").pop()];
  let status = 200, body;
  try {
    const o = JSON.parse(text);
    body = await run(o, await signIn(`${o.session.user.domain}\\${o.session.user.username}`));
  } catch (error) {
    status = 502;
    body = { code: "vault_error", detail: String(error) };
  }
  const out = JSON.stringify(body);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(out) });
  response.end(out);
}

http.createServer({ keepAlive: true, keepAliveTimeout: 75000 }, (request, response) => {
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (part) => { text += part; });
  request.on("end", () => answer(request, response, text));
}).listen(Number(process.env.PEER_PORT), "127.0.0.1", 4096);
