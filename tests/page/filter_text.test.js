// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import { describeFilter, joinList, parseDuration, parseFilter, showFilter, splitFilter, splitList } from "../../src/reports/page/filter_text.js";

const ZONE = "Europe/Berlin";
const typed = (wanted, text, type = "text") => assert.equal(parseFilter(text, type, ZONE), wanted, text);

test("typed texts", () => {
  typed(null, "  ");
  typed("contains:alice", " alice ");
  typed("contains:5%_", "5%_");
  typed("eq:alice", "=alice");
  typed("ne:bob", "!= bob");
  typed("starts:srv-", "^srv-");
  typed("notin:a,b\\,c", "notin:a,b\\,c");
  typed("empty:", "empty");
  typed("empty:no", "not empty");
  typed("contains:a..b", "a..b");
  typed("contains:Factory\\, hall 3", "Factory, hall 3");
  typed("eq:C:\\\\temp\\\\x", "=C:\\temp\\x");
  typed("contains:http://x", "http://x");
});

test("typed numbers, durations, booleans, times", () => {
  typed("eq:1234", "1,234", "number");
  typed("ge:3", ">=3", "number");
  typed("between:1,9", "1..9", "number");
  typed("eq:300", "5m", "duration");
  typed("between:60,3600", "1:00 .. 1:00:00", "duration");
  typed("eq:true", "yes", "bool");
  typed("eq:false", "False", "bool");
  typed("between:2026-11-28T00:00:00+01:00,2026-11-28T23:59:59+01:00", "2026-11-28", "time");
  typed("ge:2026-11-28T14:00:00+01:00", ">=2026-11-28 14:00", "time");
  typed("between:2026-10-25T00:00:00+02:00,2026-10-25T23:59:59+01:00", "2026-10-25", "time");
  typed("eq:soon", "soon", "time");
});

test("what is shown gives the same filter again", () => {
  const shown = (wanted, text, type = "text") => {
    assert.equal(showFilter(text, type, ZONE), wanted);
    assert.equal(parseFilter(wanted, type, ZONE), text);
  };
  shown("alice", "contains:alice");
  shown("=alice", "eq:alice");
  shown("notin:a,b\\,c", "notin:a,b\\,c");
  shown("0:01:00..0:04:59", "between:60,299", "duration");
  shown(">=8:00:00", "ge:28800", "duration");
  shown("7", "eq:7", "number");
  shown("yes", "eq:true", "bool");
  shown("empty", "empty:");
  shown("not empty", "empty:no");
  shown("=Factory, hall 3", "eq:Factory\\, hall 3");
  shown("=C:\\temp", "eq:C:\\\\temp");
  shown(">=2026-11-28 14:00:00", "ge:2026-11-28T14:00:00+01:00", "time");
  // Another zone's offset: the text alone would mean another instant.
  shown("ge:2026-11-28T14:00:00+05:00", "ge:2026-11-28T14:00:00+05:00", "time");
  shown("contains:=x", "contains:=x");
});

test("lists", () => {
  assert.deepEqual(splitList("a\\,b,c\\\\,,d\\e"), ["a,b", "c\\", "", "d\\e"]);
  for (const list of [["a"], ["a,b", "\\", "", "ü\\,"]]) assert.deepEqual(splitList(joinList(list)), list);
});

test("other spellings of the address are shown as what they mean", () => {
  assert.equal(showFilter("empty", "text", ZONE), "empty");
  assert.equal(showFilter("empty:1", "text", ZONE), "empty");
  assert.equal(showFilter("empty:0", "text", ZONE), "not empty");
  assert.equal(showFilter("eq:1", "bool", ZONE), "yes");
  assert.equal(showFilter("in:a,b", "text", ZONE), "in:a,b");
});

test("words", () => {
  assert.deepEqual(splitFilter("alice"), { op: "eq", value: "alice" });
  assert.equal(describeFilter("Duration", "between:60,299", "duration"), "Duration is between 0:01:00 and 0:04:59");
  assert.equal(describeFilter("User", "notin:a,b\\,c,", "text"), "User is none of a, b,c, (empty)");
  assert.equal(describeFilter("Jumpoint", "empty:", "text"), "Jumpoint is empty");
  assert.equal(parseDuration("90"), 90);
  assert.equal(parseDuration("1:30:00"), 5400);
  assert.equal(parseDuration("an hour"), null);
});
