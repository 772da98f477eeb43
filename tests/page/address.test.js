// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { commonQuery, firstPage, gridQuery, nextPath, readFilters, readGrid, route, sessionPath, suffix, writeFilters } from "../../src/reports/page/address.js";

const params = (text) => new URLSearchParams(text);

test("which page a path names", () => {
  assert.deepEqual(route("/"), { page: "dashboard" });
  assert.deepEqual(route("/records/events"), { page: "records", dataset: "events" });
  assert.deepEqual(route("/sessions/pra.example.com/abc%2F1"), { page: "session", host: "pra.example.com", lsid: "abc/1" });
  assert.deepEqual(route("/collector"), { page: "collector" });
  for (const path of ["/records", "/records/users", "/records/sessions/1", "/sessions/a", "/sessions//b", "/sessions/a/%zz", "/x"]) assert.equal(route(path).page, "missing", path);
  assert.deepEqual(route(sessionPath("h", "a/b?c#d")), { page: "session", host: "h", lsid: "a/b?c#d" });
});

test("shared filters come back as they were", () => {
  const text = "range=7d&tz=Europe/Berlin&site=a&site=b&group=G 1&user=a,b&endpoint=x&y";
  const filters = readFilters(params(text));
  assert.deepEqual(filters, { range: "7d", from: null, to: null, tz: "Europe/Berlin", site: ["a", "b"], group: ["G 1"], user: ["a,b"], endpoint: ["x"] });
  assert.equal(suffix(writeFilters(params(""), filters)), "?range=7d&tz=Europe/Berlin&site=a&site=b&group=G+1&user=a,b&endpoint=x");
  assert.equal(readFilters(params("range=7d&from=2026-01-01T00:00:00Z")).range, null);
});

test("other pages keep the shared filters alone", () => {
  assert.equal(commonQuery(params("sort=-start_time&f.user=eq:a&range=24h&evil=1&after=x")), "?range=24h");
  assert.equal(commonQuery(params("")), "");
});

test("state of a grid, with what cannot be left out", () => {
  const grid = readGrid(params("sort=-duration&columns=lsid,user&f.user=eq:a&f.duration=between:1,2&limit=100&after=c&row=101"));
  assert.deepEqual(grid, { sort: "-duration", columns: ["lsid", "user"], filters: [{ column: "user", text: "eq:a" }, { column: "duration", text: "between:1,2" }], limit: 100, after: "c", before: null, row: 101 });
  assert.deepEqual(readGrid(params("limit=7&row=-3")), { sort: null, columns: [], filters: [], limit: 50, after: null, before: null, row: 1 });
});

test("what the API is asked, unknown parameters left out", () => {
  const all = params("range=7d&evil=1&sort=start_time&f.a=eq:x&after=c&before=d&row=51&columns=zzz&limit=25");
  assert.equal(gridQuery(all, ["lsid", "site"], true), "?range=7d&f.a=eq:x&sort=start_time&columns=lsid,site&limit=25&after=c");
  assert.equal(gridQuery(all, ["lsid"], false), "?range=7d&f.a=eq:x&sort=start_time&columns=lsid");
  assert.equal(gridQuery(params("f.a=eq:x%26range%3Dall"), [], true), "?f.a=eq:x%26range%3Dall&limit=50");
  assert.equal(firstPage(params("after=a&before=b&row=5&limit=25")).toString(), "limit=25");
});

test("after signing in only pages of our own", () => {
  const next = (path) => nextPath(`?next=${encodeURIComponent(path)}`);
  for (const path of ["/records/sessions?user=a&f.x=eq:1", "/?range=7d", "/collector", "/sessions/pra.example/00ff?type=a", "/records/team#x"]) assert.equal(next(path), path);
  for (const path of ["/nothing", "/records/nothing", "/records/sessions/x", "/api/export/sessions.csv?range=all", "/assets/x/app.js", "/sessions/pra.example/%ff", "javascript:alert(1)/records/sessions", "http:evil.example/records/sessions", "records/sessions", "/sessions/\\evil.example/x", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "", "/sign-in", "/sign-in?next=/", "/a\\b"]) assert.equal(next(path), "/", path);
  assert.equal(nextPath(""), "/");
});
