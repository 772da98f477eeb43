// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { fromWall, isZone, offsetMinutes, parseTime, rangeBounds, toZoned, zoneNames } from "../../src/reports/page/zones.js";

const at = (text) => Date.parse(text);
const iso = (ms) => (ms === null ? null : new Date(ms).toISOString().slice(0, 19));

test("offsets of zones, summer and winter, half hours, before 1970", () => {
  assert.equal(offsetMinutes("Europe/Berlin", at("2026-07-01T00:00:00Z")), 120);
  assert.equal(offsetMinutes("Europe/Berlin", at("2026-12-01T00:00:00Z")), 60);
  assert.equal(offsetMinutes("Asia/Kolkata", at("2026-12-01T00:00:00Z")), 330);
  assert.equal(offsetMinutes("America/St_Johns", at("2026-12-01T00:00:00.500Z")), -210);
});

test("an instant in a zone", () => {
  assert.equal(toZoned("Europe/Berlin", at("2026-11-28T13:00:03Z")), "2026-11-28T14:00:03+01:00");
  assert.equal(toZoned("America/St_Johns", at("2026-11-28T13:00:03Z")), "2026-11-28T09:30:03-03:30");
  assert.equal(toZoned("UTC", at("2026-11-28T13:00:03Z")), "2026-11-28T13:00:03+00:00");
});

test("a wall clock's instant: the earlier of two in autumn, after the gap in spring", () => {
  assert.equal(iso(fromWall("Europe/Berlin", 2026, 10, 25, 2, 30)), "2026-10-25T00:30:00");
  assert.equal(iso(fromWall("Europe/Berlin", 2026, 3, 29, 2, 30)), "2026-03-29T01:30:00");
  assert.equal(iso(fromWall("America/New_York", 2026, 11, 1, 1, 30)), "2026-11-01T05:30:00");
  assert.equal(iso(fromWall("Asia/Kolkata", 2026, 1, 1)), "2025-12-31T18:30:00");
});

test("what people type", () => {
  const berlin = (text) => iso(parseTime("Europe/Berlin", text));
  assert.equal(berlin("2026-11-28"), "2026-11-27T23:00:00");
  assert.equal(berlin(" 2026-11-28 14:00 "), "2026-11-28T13:00:00");
  assert.equal(berlin("2026-1-2 3:04:05"), "2026-01-02T02:04:05");
  assert.equal(berlin("2026-11-28T14:00:00Z"), "2026-11-28T14:00:00");
  assert.equal(berlin("2026-11-28T14:00:00-05:30"), "2026-11-28T19:30:00");
  for (const wrong of ["", "yesterday", "2026-02-30", "2026-13-01", "2026-01-01 24:00", "2026-01-01 10:60", "28.11.2026"]) assert.equal(berlin(wrong), null, wrong);
});

test("relative ranges begin at a border of the zone", () => {
  const now = at("2026-11-28T23:30:00Z"); // 00:30 of the 29th in Berlin
  const from = (range, zone) => iso(rangeBounds(range, zone, now).from);
  assert.equal(from("24h", "UTC"), "2026-11-28T00:00:00");
  assert.equal(from("7d", "UTC"), "2026-11-22T00:00:00");
  assert.equal(from("7d", "Europe/Berlin"), "2026-11-22T23:00:00");
  assert.equal(from("30d", "Europe/Berlin"), "2026-10-30T23:00:00");
  assert.equal(from("90d", "Europe/Berlin"), "2026-08-31T22:00:00");
  assert.equal(from("12m", "Europe/Berlin"), "2025-11-30T23:00:00");
  assert.equal(rangeBounds("7d", "UTC", now).to, now);
});

test("names of zones", () => {
  assert.equal(zoneNames()[0], "UTC");
  assert.equal(zoneNames().filter((name) => name === "UTC").length, 1);
  assert.ok(zoneNames().includes("Europe/Berlin"));
  assert.ok(isZone("Europe/Berlin"));
  assert.ok(!isZone("Mars/Olympus"));
});
